import { Problem } from '@waybill/service-kit'

/** Lets only so many pieces of work run at the same time. */
export interface Semaphore {
  /**
   * What `work` returns, once there is room for it.
   * @throws Problem unavailable (503) with Retry-After when too many wait already
   */
  run<T>(work: () => Promise<T>): Promise<T>
}

/** `permits` pieces of work at once and `queue` more waiting, first come first served. `what` is named when it is full. */
export function createSemaphore(options: { permits: number; queue: number; what: string }): Semaphore {
  const { permits, queue, what } = options
  const waiting: (() => void)[] = []
  let running = 0

  const acquire = async (): Promise<void> => {
    if (running < permits) {
      running += 1
      return
    }
    if (waiting.length >= queue) {
      throw new Problem('unavailable', `${what} is busy.`, { headers: { 'Retry-After': '1' } })
    }
    await new Promise<void>((resolve) => waiting.push(resolve))
  }
  const release = (): void => {
    // The permit goes from hand to hand, so that nobody who comes later can slip in between.
    const next = waiting.shift()
    if (next) next()
    else running -= 1
  }

  return {
    async run(work) {
      await acquire()
      try {
        return await work()
      } finally {
        release()
      }
    },
  }
}
