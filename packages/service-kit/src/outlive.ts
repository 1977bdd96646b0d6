import { requestContext, runInContext } from './context.ts'

/**
 * Runs `work`, which must be finished although the client may have gone or its time be up, with `ms` milliseconds of
 * its own; otherwise it is part of the same request, with its identity, id and trace.
 */
export async function outliveRequest<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const context = requestContext()
  if (!context) return work()
  return runInContext({ ...context, deadline: Date.now() + ms, signal: AbortSignal.timeout(ms) }, work)
}
