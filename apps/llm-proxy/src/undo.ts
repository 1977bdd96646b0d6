import { requestContext, runInContext } from '@waybill/service-kit'
import { eachOf } from './bounded.ts'

/** Writes that are taken back together when one of them fails. */
export interface UndoableWrites {
  /**
   * Makes one write, and remembers the steps that take it back. A write that is broken off when the client goes away may
   * still happen, after its deletion even: one that has begun is therefore waited for, within the deadline of the request.
   */
  write(work: () => Promise<void>, undo: readonly Step[]): Promise<void>
  /**
   * Takes back whatever was written, or may have been, the last write first, for the user of the request being served
   * even when that request is over. Goes on after a failure and throws the first one at the end.
   */
  undo(timeoutMs: number, concurrency: number): Promise<void>
}

type Step = () => Promise<void>

/** `changedNothing` tells an error after which there is nothing of its write to take back. */
export function createUndoableWrites(changedNothing: (error: unknown) => boolean): UndoableWrites {
  const undoings = new Set<readonly Step[]>()
  return {
    async write(work, undo) {
      undoings.add(undo)
      try {
        await inContext({ signal: new AbortController().signal }, work)
      } catch (error) {
        if (changedNothing(error)) undoings.delete(undo)
        throw error
      }
    },
    async undo(timeoutMs, concurrency) {
      const failures: unknown[] = []
      const own = { deadline: Date.now() + timeoutMs, signal: AbortSignal.timeout(timeoutMs) }
      const steps = [...undoings].reverse().flat()
      await inContext(own, () =>
        eachOf(steps, concurrency, (undo) => undo().catch((error: unknown) => void failures.push(error))),
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
