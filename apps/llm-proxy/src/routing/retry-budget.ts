const SAVED_AT_MOST = 10

/** How many retries there may be of all requests of a route together, so that a provider in trouble is not buried under them. */
export interface RetryBudget {
  /** To be called once for each request. */
  earn(): void
  /** Whether there is one left, which is then gone. */
  spend(): boolean
}

/** A bucket that begins with ten retries, holds ten at most, and gets `ratio` of one for each request. */
export function createRetryBudget(ratio: number): RetryBudget {
  let saved = ratio === 0 ? 0 : SAVED_AT_MOST
  return {
    earn() {
      saved = Math.min(SAVED_AT_MOST, saved + ratio)
    },
    spend() {
      // Sums of fractions such as 0.2 fall short of 1 by a little.
      if (saved < 1 - 1e-9) return false
      saved -= 1
      return true
    },
  }
}
