/** How many tries of a call there may be, and how many retries of all calls together. */
export interface RetryOptions {
  /** Tries beyond the first. */
  retries: number
  /** Retries per ordinary call that the budget earns: 0.2 means at most a fifth more load on a neighbour in trouble. */
  budgetRatio?: number
  random?: () => number
}

const FIRST_PAUSE_MS = 40
const SAVED_AT_MOST = 10

/**
 * Decides about second tries. The budget is shared by all calls to one neighbour, so that a neighbour that fails is not
 * buried under its callers' retries.
 */
export function createRetryPolicy({ retries, budgetRatio = 0.2, random = Math.random }: RetryOptions) {
  let saved = SAVED_AT_MOST
  return {
    /** To be called once for each first try. */
    earn(): void {
      saved = Math.min(SAVED_AT_MOST, saved + budgetRatio)
    },
    /**
     * The pause before try number `attempt` + 1, in milliseconds, or undefined when it is not to be made: too many,
     * over budget, or past the caller's patience. Full jitter over a doubling range.
     */
    pauseBefore(attempt: number, remainingMs: number): number | undefined {
      const pauseMs = random() * FIRST_PAUSE_MS * 2 ** attempt
      if (attempt > retries || saved < 1 || pauseMs >= remainingMs) return undefined
      saved -= 1
      return pauseMs
    },
  }
}

export type RetryPolicy = ReturnType<typeof createRetryPolicy>
