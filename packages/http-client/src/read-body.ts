import { AnswerTooLongError, fromWireError } from './downstream-error.ts'
import type { CallName } from './downstream-error.ts'
import type { WireResponse } from './transport.ts'
import { WireError } from './wire-error.ts'

/**
 * The whole body as JSON, or as text when it is none; undefined when it is empty.
 * @throws AnswerTooLongError when there are more than `maxBytes` of it; the rest is not read
 */
export async function readJson(response: WireResponse, call: CallName, maxBytes: number): Promise<unknown> {
  const bytes = await readAtMost(response, call, maxBytes)
  if (bytes.length === 0) return undefined
  const text = bytes.toString('utf8')
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

async function readAtMost({ body }: WireResponse, call: CallName, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      // no encoding is set, so these are bytes
      length += chunk.length
      // Leaving the loop destroys the stream, and with it the connection.
      if (length > maxBytes) break
      chunks.push(chunk)
    }
  } catch (error) {
    const cause = error instanceof WireError ? error : new WireError('broken', 'the answer broke off')
    throw fromWireError(cause, call)
  }
  if (length <= maxBytes) return Buffer.concat(chunks)
  throw new AnswerTooLongError(call, maxBytes)
}
