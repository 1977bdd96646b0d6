import { requestContext, runInContext } from '@waybill/service-kit'
import { eachOf } from './bounded.ts'

/** Writes that are taken back together when one of them fails. */
export interface UndoableWrites {
  /**
   * Makes one write, and remembers the steps that take it back. A write that is broken off when the client goes away may still happen, after its deletion even: one
   * that has begun is therefore waited for, within the deadline of the request.
   */
  write(work: () => Promise<void>, undo: readonly (() => Promise<void>)[]): Promise<void>
  /**
   * Takes back whatever was written, or may have been, the last first, for the user of the request being served even when
   * that request is over. Goes on after a failure and throws the first one at the end.
   */
  undo(timeoutMs: number, concurrency: number): Promise<void>
}

export function createUndoableWrites(): UndoableWrites {
  const undoings: (() => Promise<void>)[] = []
  return {
    write(work, undo) {
      undoings.unshift(...undo)
      return inContext({ signal: new AbortController().signal }, work)
    },
    async undo(timeoutMs, concurrency) {
      const failures: unknown[] = []
      const own = { deadline: Date.now() + timeoutMs, signal: AbortSignal.timeout(timeoutMs) }
      await inContext(own, () =>
        eachOf(undoings, concurrency, (undo) => undo().catch((error: unknown) => void failures.push(error))),
      )
      if (failures.length > 0) throw failures[0]
    },
  }
}

/** Runs `work` as part of the request being served, with a signal or deadline of its own. */
function inContext<T>(own: { signal: AbortSignal; deadline?: number }, work: () => T): T {
  const context = requestContext()
  return context ? runInContext({ ...context, ...own }, work) : work()
}
