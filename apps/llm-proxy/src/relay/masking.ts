import { pipeline, Transform } from 'node:stream'
import type { Readable } from 'node:stream'
import type { Secret } from '@waybill/service-kit'

/** A shorter key may be a word of the language. */
const SHORTEST_KEY = 8
const MASK = 0x2a // *

/**
 * `body`, as it comes, with every occurrence of the key in it masked by as many asterisks: the length stays what its head says it
 * is. Providers have quoted in an error the key that they refuse, and whoever calls here need not be its owner.
 */
export function withoutKey(body: Readable, secret: Secret | undefined): Readable {
  const key = secret?.reveal() ?? ''
  if (key.length < SHORTEST_KEY) return body
  const wanted = Buffer.from(key)
  /** What may be the beginning of one, until more comes. */
  let held: Buffer = Buffer.alloc(0)
  const masked = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const bytes = Buffer.concat([held, chunk])
      for (let at = bytes.indexOf(wanted); at !== -1; at = bytes.indexOf(wanted, at + wanted.length)) {
        bytes.fill(MASK, at, at + wanted.length)
      }
      const complete = bytes.length - beginningAtEnd(bytes, wanted)
      held = bytes.subarray(complete)
      done(null, bytes.subarray(0, complete))
    },
    flush(done) {
      done(null, held)
    },
  })
  // Errors go on to the masked one, which whoever reads it hears.
  pipeline(body, masked, () => undefined)
  return masked
}

/** How many of the last bytes of `bytes` are the first ones of `wanted`. */
function beginningAtEnd(bytes: Buffer, wanted: Buffer): number {
  let length = Math.min(bytes.length, wanted.length - 1)
  while (length > 0 && bytes.compare(wanted, 0, length, bytes.length - length) !== 0) length -= 1
  return length
}
