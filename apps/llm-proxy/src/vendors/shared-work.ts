import { untilAborted } from '@waybill/service-kit'

/** Work that is done once for all who wait for it. */
export interface SharedWork<T> {
  /**
   * What it comes to. Whoever's `signal` aborts has left, which the others do not notice.
   * @throws what the work throws, or the reason of `signal`
   */
  wait(signal: AbortSignal): Promise<T>
}

/**
 * Begins `work`, which is told to stop when the last who waited for it has left before it was done. `failed` hears at once
 * of that, and of what it throws: nobody else shall wait for it then.
 */
export function shareWork<T>(work: (signal: AbortSignal) => Promise<T>, failed: () => void): SharedWork<T> {
  const abandoned = new AbortController()
  let isOver = false
  let waiting = 0
  const result = work(abandoned.signal).finally(() => (isOver = true))
  result.catch(() => {
    if (!abandoned.signal.aborted) failed()
  })
  return {
    async wait(signal) {
      waiting += 1
      try {
        return await untilAborted(result, signal)
      } finally {
        waiting -= 1
        if (waiting === 0 && !isOver) {
          failed()
          abandoned.abort(signal.reason)
        }
      }
    },
  }
}
