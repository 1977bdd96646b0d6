import type { IncomingMessage } from 'node:http'
import { createGunzip } from 'node:zlib'
import { RequestError } from './request-error.ts'

/** Reads a whole body, unpacking gzip. Throws RequestError: 413 over `limit` bytes (unpacked), 415 for another encoding. */
export async function readBody(request: IncomingMessage, limit: number): Promise<string> {
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new RequestError(415, `Content-Encoding ${encoding} is not known here; send gzip or none.`)
  }
  const gunzip = encoding === 'gzip' ? createGunzip() : undefined
  // pipe() hands on no errors; without this a client that breaks off would leave the reader waiting.
  if (gunzip) request.once('error', (error) => gunzip.destroy(error))
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of gunzip ? request.pipe(gunzip) : request) {
      const bytes = chunk as Buffer // No encoding is set on either stream.
      size += bytes.length
      if (size > limit) throw new RequestError(413, `The body is larger than ${limit} bytes.`)
      chunks.push(bytes)
    }
  } catch (error) {
    if (error instanceof RequestError) throw error
    throw new RequestError(400, 'The body could not be read: it is cut off, or no gzip.')
  }
  return Buffer.concat(chunks).toString('utf8')
}
