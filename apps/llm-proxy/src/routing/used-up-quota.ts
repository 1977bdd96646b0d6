import { Readable } from 'node:stream'
import { CollectedBytes } from '../collected-bytes.ts'

/** Errors are short; what is longer is none that is known. */
const MAX_BYTES = 64 * 1024
/** How long the head of an error is held back to see its body, in milliseconds. */
const PATIENCE_MS = 1_000

/**
 * Whether a 429 says that the key's quota is used up (OpenAI's `insufficient_quota`): no pause helps, as it would where too
 * much was asked in a minute. `body` is what was read and what is still to come, to be read in place of the one given.
 */
export async function readQuota(given: Readable): Promise<{ isUsedUp: boolean; body: Readable }> {
  const seen = new CollectedBytes()
  const { promise: isSeen, resolve: stop } = Promise.withResolvers<undefined>()
  const body = new Readable({
    highWaterMark: MAX_BYTES,
    read: () => void given.resume(),
    destroy(error, done) {
      given.destroy()
      done(error)
    },
  })
  // Nobody may be listening yet when it breaks.
  body.on('error', () => undefined)
  const patience = setTimeout(stop, PATIENCE_MS, undefined)
  const look = (chunk: Buffer): void => {
    seen.add(chunk)
  }
  given
    .on('data', look)
    .on('data', (chunk: Buffer) => {
      if (body.push(chunk)) return
      given.pause()
      stop(undefined)
    })
    .once('end', () => body.push(null))
    .once('error', (error) => body.destroy(error))
    .once('end', stop)
    .once('close', () => {
      if (!given.readableEnded) body.destroy()
      stop(undefined)
    })
  await isSeen
  clearTimeout(patience)
  given.off('data', look)
  return { isUsedUp: saysUsedUp(seen.whole().toString()), body }
}

function saysUsedUp(text: string): boolean {
  return /"(?:code|type)"\s*:\s*"insufficient_quota"/.test(text)
}
