/** Runs `work` when all earlier work under the same key has ended, however it ended. */
export type Lock = <T>(key: string, work: () => Promise<T>) => Promise<T>

/** A lock within this process: one holder per key at a time, in the order of asking. */
export function createLock(): Lock {
  const last = new Map<string, Promise<unknown>>()
  return async (key, work) => {
    const before = last.get(key) ?? Promise.resolve()
    const mine = before.then(work, work)
    const settled = mine.catch(() => undefined)
    last.set(key, settled)
    try {
      return await mine
    } finally {
      if (last.get(key) === settled) last.delete(key)
    }
  }
}
