import type { Logger } from '@waybill/service-kit'
import { pause } from './pause.ts'

export interface Repetition {
  work: () => Promise<unknown>
  everyMs: number
  /** Ends it. */
  signal: AbortSignal
  log: Logger
  /** What is being looked after, for the log when that fails. */
  what: string
}

/** Does the work again and again, with a pause between; a failure is logged. Resolves when `signal` has aborted. */
export async function repeat({ work, everyMs, signal, log, what }: Repetition): Promise<void> {
  for (;;) {
    await pause(everyMs, signal)
    if (signal.aborted) return
    await work().catch((error: unknown) => {
      log.warn({ err: error }, `could not look after ${what}`)
    })
  }
}
