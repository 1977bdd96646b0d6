import { Transform } from 'node:stream'
import type { Readable } from 'node:stream'
import { Problem } from '@waybill/service-kit'

/**
 * The bytes of `source`, up to `limitBytes`; `exceeded` rejects with payload_too_large when there are more. For bodies
 * that do not say their length: the others are judged before they are read. `source` itself is not destroyed, since the
 * answer goes back on its connection.
 */
export function limitBody(
  source: Readable,
  limitBytes: number,
): { body: Readable; exceeded: Promise<never> } {
  let bytes = 0
  const body = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes <= limitBytes) done(null, chunk)
      else done(new Problem('payload_too_large', `The body is larger than ${String(limitBytes)} bytes.`))
    },
  })
  const exceeded = new Promise<never>((_, reject) => {
    body.once('error', (error) => {
      if (error instanceof Problem) reject(error)
    })
  })
  // Nobody may be waiting any more when it happens.
  exceeded.catch(() => undefined)
  source.once('error', (error) => body.destroy(error))
  source.pipe(body)
  return { body, exceeded }
}
