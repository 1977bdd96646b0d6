import { createHash } from 'node:crypto'
import type { CacheKeyParts } from './response-cache.ts'

/** Headers that say how a request was sent, not what is asked: an SDK's count of its tries, for one. */
const ABOUT_THE_SENDING = /^(user-agent|x-stainless-.*|via|accept-encoding|content-length|idempotency-key)$/

/**
 * The SHA-256 of all that the answer may depend on, in hex. Each part is written behind its own length, so that nothing
 * at the end of one can pass for the beginning of the next.
 */
export function digestOf(parts: CacheKeyParts): string {
  const hash = createHash('sha256')
  const add = (part: string | Buffer) => {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    const length = Buffer.alloc(8)
    length.writeBigUInt64BE(BigInt(bytes.length))
    hash.update(length).update(bytes)
  }
  const headers = Object.entries(parts.headers)
    .map(([name, value]): [string, string] => [name.toLowerCase(), value])
    .filter(([name]) => !ABOUT_THE_SENDING.test(name))
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  for (const part of [parts.userId, parts.provider, parts.key, parts.operation, parts.method, parts.path]) {
    add(part)
  }
  for (const part of headers.flat()) add(part)
  add(parts.body)
  return hash.digest('hex')
}
