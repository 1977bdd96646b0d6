/** Runs `work` when fewer than the most are running; the others wait in the order of asking. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>

/** A gate for at most `most` pieces of work at a time. */
export function createGate(most: number): Gate {
  let running = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    // Whoever ends hands its place on, so that nobody overtakes.
    if (running < most) running += 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running -= 1
    }
  }
}
