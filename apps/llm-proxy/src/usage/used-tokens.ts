import type { CallOutcome, MeteredCall } from './meter.ts'

export interface UsedTokens {
  /** All of the input, what came from the provider's cache included. */
  input: number
  output: number
  cached: number
  /** Whether they are our estimate. */
  estimated: boolean
}

/** More than any call uses: a provider that says so is not believed further. */
const MOST_TOKENS = 1_000_000_000

/**
 * What a call has used: as the provider says; else what was sent and what had come back, by our estimate. Of an answer that did not
 * come to its end the provider may have counted less than what came: Anthropic's begins with a count of 1. From our own cache, and of a
 * call that was not sent or was refused: nothing.
 */
export function tokensOf(
  call: MeteredCall,
  { usage, result, estimatedOutputTokens, unused }: CallOutcome,
): UsedTokens {
  if (result === 'cached') return { input: 0, output: 0, cached: 0, estimated: false }
  if (usage) {
    const input = wholeTokens(usage.inputTokens)
    const cached = Math.min(input, wholeTokens(usage.cachedInputTokens))
    const said = wholeTokens(usage.outputTokens)
    const came = wholeTokens(estimatedOutputTokens ?? 0)
    return { input, output: Math.max(said, came), cached, estimated: came > said }
  }
  if (unused === true) return { input: 0, output: 0, cached: 0, estimated: false }
  const input = wholeTokens(call.estimatedInputTokens ?? 0)
  const output = wholeTokens(estimatedOutputTokens ?? 0)
  return { input, output, cached: 0, estimated: input + output > 0 }
}

/** A count that can be reckoned with, whatever somebody gave as one: whole, not negative, not beyond all reason. */
export function wholeTokens(tokens: number): number {
  return tokens > 0 ? Math.min(Math.trunc(tokens), MOST_TOKENS) : 0
}
