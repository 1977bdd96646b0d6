import { outliveRequest, Problem, requestContext } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import { didNothing, nothingDone } from '../../refusal.ts'
import { FileMakerFault } from './fault.ts'

/**
 * Does something that cannot be taken back by the store itself. `undo` is called when it or a later step fails: also when it is
 * not known whether it was done, so that it has to look. It says whether it has found what there was to take back.
 */
export type Step = <T>(work: () => Promise<T>, undo: () => Promise<boolean>) => Promise<T>

export interface StepOptions {
  /** The longest that one step may take, in milliseconds. */
  timeoutMs: number
  log: Logger
}

/** A step back looks before it writes. */
const CALLS_TO_UNDO = 3

/**
 * Several writes to a store that has no transactions: when one fails, or the client has gone before the next, those before it are
 * taken back, the last one first. A step that has begun is not cut off. After a crash the intent in the audit is what remains.
 * @throws Problem `upstream_failed`, instead of what `work` has thrown, when something could not be taken back. Else nothingDone() is said
 *   of what it has thrown, unless the last step had no answer and nothing of it was found: it may come to FileMaker yet.
 */
export async function allOrNone<T>(
  { timeoutMs, log }: StepOptions,
  work: (step: Step) => Promise<T>,
): Promise<T> {
  const begun: { undo: () => Promise<boolean>; mayBeDone: boolean }[] = []
  const step: Step = (forward, undo) => {
    requestContext()?.signal.throwIfAborted()
    const mine = { undo, mayBeDone: true }
    begun.push(mine)
    return outliveRequest(timeoutMs, forward).catch((error: unknown) => {
      if (didNothing(error)) begun.pop()
      else mine.mayBeDone = !(error instanceof FileMakerFault)
      throw error
    })
  }
  try {
    return await work(step)
  } catch (error) {
    const left: unknown[] = []
    let isAsBefore = true
    for (const { undo, mayBeDone } of begun.reverse()) {
      try {
        const found = await outliveRequest(CALLS_TO_UNDO * timeoutMs, undo)
        if (mayBeDone && !found) isAsBefore = false
      } catch (reason) {
        left.push(reason)
        log.error({ err: reason }, 'a step of a write that failed could not be taken back')
      }
    }
    if (left.length > 0) throw halfDone(error)
    throw isAsBefore ? nothingDone(error) : error
  }
}

/** No refusal: whoever is told a refusal may take it that nothing was done. */
function halfDone(cause: unknown): Problem {
  const detail =
    'FileMaker failed half way, and what was done could not be taken back: look what is there before asking again.'
  return new Problem('upstream_failed', detail, { cause })
}
