import { setTimeout as sleep } from 'node:timers/promises'

/** Time and chance, as routing sees them. */
export interface Timing {
  /** Milliseconds that never go back. */
  now(): number
  /** From 0 up to 1. */
  random(): number
  /** @throws the signal's reason when it aborts */
  pause(ms: number, signal: AbortSignal): Promise<void>
}

export const realTiming: Timing = {
  now: () => performance.now(),
  random: Math.random,
  async pause(ms, signal) {
    try {
      await sleep(ms, undefined, { signal })
    } catch (error) {
      signal.throwIfAborted()
      throw error
    }
  },
}
