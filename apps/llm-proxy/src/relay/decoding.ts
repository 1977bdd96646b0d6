import type { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import type { Zlib } from 'node:zlib'
import { Problem } from '@waybill/service-kit'

type Decoder = Transform & Pick<Zlib, 'bytesWritten'>

const DECODERS: Record<string, (() => Decoder) | undefined> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
}

/** Each has buffers of its own, and a header can name thousands. */
const MOST_STAGES = 2

/** What has come of an answer so far: its head, and the body behind it. */
interface Encoded {
  status: number
  headers: Record<string, unknown>
  body: Readable
}

/**
 * The body without its content encoding (RFC 9110 section 8.4), as it comes: a provider was asked for none, and some send
 * one all the same. Undefined where it has none. What is no such encoding, or ends midway, fails the stream; what ends without
 * a byte is empty. Where no body can come there is nothing to decode, and the head speaks of another answer's: the body is then
 * given back as it is.
 * @throws Problem upstream_failed for an encoding that is not known, and for more than two of them
 */
export function decoded(answer: Encoded, method: string): Readable | undefined {
  const { body, headers } = answer
  const encoding = headers['content-encoding']
  if (typeof encoding !== 'string') return undefined
  const names = encoding
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity')
  if (names.length === 0) return undefined
  if (isBodiless(answer, method)) return body
  if (names.length > MOST_STAGES) throw refused(body)
  const stages = names.toReversed().map((name) => {
    const decoder = DECODERS[name]?.()
    if (!decoder) throw refused(body)
    return emptyOfNothing(decoder)
  })
  const last = stages.at(-1) ?? body
  // Errors go from stage to stage to the last one, which whoever reads it hears.
  pipeline([body, ...stages], () => undefined)
  return last
}

/** zlib takes no bytes at all for the half of something, but that is how some servers write an empty body. */
function emptyOfNothing(decoder: Decoder): Decoder {
  const flush = decoder._flush.bind(decoder)
  decoder._flush = (callback) => {
    if (decoder.bytesWritten === 0) callback()
    else flush(callback)
  }
  return decoder
}

/** RFC 9112 section 6.3, the first rule; and what says itself that it is empty. */
function isBodiless({ status, headers }: Encoded, method: string): boolean {
  return method === 'HEAD' || status === 204 || status === 304 || headers['content-length'] === '0'
}

function refused(body: Readable): Problem {
  body.destroy()
  return new Problem('upstream_failed', 'The provider answered in an encoding that it was not asked for.')
}
