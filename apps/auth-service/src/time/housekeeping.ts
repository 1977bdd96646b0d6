import type { Logger } from '@waybill/service-kit'
import { repeat } from './repeat.ts'

export interface Housekeeping {
  /** Begins, as a start task; does not wait for the first round. */
  start(signal: AbortSignal): Promise<void>
  /** Does every chore once, now. @throws whatever one of them throws */
  round(): Promise<void>
  /** Ends after what is under way, and does every chore one last time: nothing that was noted in memory is lost. */
  close(): Promise<void>
}

export interface HousekeepingOptions {
  /** What is to be done again and again, by what it looks after. */
  chores: Readonly<Record<string, () => Promise<unknown>>>
  everySeconds: number
  log: Logger
}

/** A chore that fails is logged and done again in the next round; it keeps no other from being done. */
export function createHousekeeping({ chores, everySeconds, log }: HousekeepingOptions): Housekeeping {
  const stopping = new AbortController()
  let running: Promise<unknown> | undefined

  const round = async (): Promise<void> => {
    for (const work of Object.values(chores)) await work()
  }
  return {
    start(signal) {
      const ended = AbortSignal.any([signal, stopping.signal])
      running ??= Promise.all(
        Object.entries(chores).map(([what, work]) =>
          repeat({ work, everyMs: everySeconds * 1000, signal: ended, log, what }),
        ),
      )
      return Promise.resolve()
    },
    round,
    async close() {
      stopping.abort()
      if (!running) return
      await running
      await round().catch((error: unknown) => {
        log.warn({ err: error }, 'the last housekeeping could not be done')
      })
    },
  }
}
