import { outliveRequest, Problem, requestContext } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'

/**
 * Does something that cannot be taken back by the store itself. `undo` is called when it or a later step fails: also when it is
 * not known whether it was done, so that it has to look.
 */
export type Step = <T>(work: () => Promise<T>, undo: () => Promise<void>) => Promise<T>

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
 * @throws Problem `upstream_failed`, instead of what `work` has thrown, when something could not be taken back
 */
export async function allOrNone<T>(
  { timeoutMs, log }: StepOptions,
  work: (step: Step) => Promise<T>,
): Promise<T> {
  const undone: (() => Promise<void>)[] = []
  const step: Step = (forward, undo) => {
    requestContext()?.signal.throwIfAborted()
    undone.push(undo)
    return outliveRequest(timeoutMs, forward)
  }
  try {
    return await work(step)
  } catch (error) {
    const left: unknown[] = []
    for (const undo of undone.reverse()) {
      await outliveRequest(CALLS_TO_UNDO * timeoutMs, undo).catch((reason: unknown) => {
        left.push(reason)
        log.error({ err: reason }, 'a step of a write that failed could not be taken back')
      })
    }
    throw left.length > 0 ? halfDone(error) : error
  }
}

/** No refusal: whoever is told a refusal may take it that nothing was done. */
function halfDone(cause: unknown): Problem {
  const detail =
    'FileMaker failed half way, and what was done could not be taken back: look what is there before asking again.'
  return new Problem('upstream_failed', detail, { cause })
}
