/** Runs `work` when fewer than the most are running; the others wait in the order of asking. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>

export interface GateOptions {
  /** How many may wait; as many as come unless said. */
  mostWaiting?: number
  /** How long one waits, in milliseconds; as long as it takes unless said. */
  waitMs?: number
  /** What becomes of one who may not wait, or has waited long enough. */
  refusal?: () => Error
}

/** A gate for at most `most` pieces of work at a time. */
export function createGate(most: number, options: GateOptions = {}): Gate {
  const { mostWaiting = Infinity, waitMs, refusal = () => new Error('too much at a time') } = options
  let running = 0
  const waiting = new Set<() => void>()

  const turn = () =>
    new Promise<void>((resolve, reject) => {
      const enter = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer =
        waitMs === undefined
          ? undefined
          : setTimeout(() => {
              waiting.delete(enter)
              reject(refusal())
            }, waitMs)
      waiting.add(enter)
    })

  return async (work) => {
    // Whoever ends hands its place on, so that nobody overtakes.
    if (running < most) running += 1
    else if (waiting.size < mostWaiting) await turn()
    else throw refusal()
    try {
      return await work()
    } finally {
      const [next] = waiting
      if (next) {
        waiting.delete(next)
        next()
      } else running -= 1
    }
  }
}
