import { Readable } from 'node:stream'

/** Errors are short; what is longer is none that is known. */
const MAX_BYTES = 64 * 1024
/** How long the head of an error is held back to see its body, in milliseconds. */
const PATIENCE_MS = 1_000

/**
 * Whether a 429 says that the key's quota is used up (OpenAI's `insufficient_quota`): no pause helps, as it would where too
 * much was asked in a minute. `body` is what was read and what is still to come, to be read in place of the one given.
 */
export async function readQuota(given: Readable): Promise<{ isUsedUp: boolean; body: Readable }> {
  const source = given.iterator({ destroyOnReturn: false })
  const chunks: Buffer[] = []
  let length = 0
  let pending: Promise<IteratorResult<Buffer, unknown>> | undefined
  const { promise: isLate, resolve: late } = Promise.withResolvers<undefined>()
  const patience = setTimeout(late, PATIENCE_MS, undefined)
  try {
    while (length <= MAX_BYTES) {
      pending = source.next()
      pending.catch(() => undefined) // told to whoever reads on, which may be later
      const step = await Promise.race([pending, isLate])
      if (!step) break
      pending = undefined
      if (step.done === true) break
      chunks.push(step.value)
      length += step.value.length
    }
  } catch {
    // The same.
  } finally {
    clearTimeout(patience)
  }
  const body = Readable.from(again(chunks, pending, source), { objectMode: false })
  body.once('close', () => given.destroy())
  return { isUsedUp: saysUsedUp(Buffer.concat(chunks).toString()), body }
}

async function* again(
  chunks: readonly Buffer[],
  pending: Promise<IteratorResult<Buffer, unknown>> | undefined,
  source: AsyncIterator<Buffer>,
): AsyncGenerator<Buffer> {
  yield* chunks
  for (let next = pending ?? source.next(); ; next = source.next()) {
    const step = await next
    if (step.done === true) return
    yield step.value
  }
}

function saysUsedUp(text: string): boolean {
  return /"(?:code|type)"\s*:\s*"insufficient_quota"/.test(text)
}
