import { setImmediate } from 'node:timers/promises'

/** UTF-16 units of text between two pauses: some ten milliseconds of work at worst. */
const SLICE = 8192

/** Keeps long work from holding the event loop: `if (pace.isDue(units)) await pace.pause()`. */
export interface Pace {
  /** Adds `units` (UTF-16 units of text worked on) and says whether it is time to pause. */
  isDue(units: number): boolean
  /** Lets everything else run. Throws the signal's reason when the work is no longer wanted. */
  pause(): Promise<void>
}

export function createPace(signal?: AbortSignal): Pace {
  let worked = 0
  return {
    isDue(units) {
      worked += units
      return worked > SLICE
    },
    async pause() {
      worked = 0
      await setImmediate()
      signal?.throwIfAborted()
    },
  }
}
