import { DownstreamError } from '@waybill/http-client'
import { Problem } from '@waybill/service-kit'

/**
 * An attempt that brought no answer, as the client is told of it: the provider by its name, and nothing of where it is.
 * `repeated`: it was tried again here already, and the client's SDK shall not do it too.
 */
export function ofFailure(error: unknown, provider: string, { repeated }: { repeated: boolean }): unknown {
  const problem = error instanceof DownstreamError ? named(error, provider) : error
  return repeated && problem instanceof Problem ? notAgain(problem) : problem
}

/**
 * What ended a call that a provider may have worked for. Where it took too long, the client's SDK shall not ask once more: the provider
 * may still be at work on it, and each time is paid for.
 */
export function ofUsed(error: unknown): unknown {
  return error instanceof Problem && error.code === 'timeout' ? notAgain(error) : error
}

/** As the vendors' SDKs understand it. */
function notAgain(problem: Problem): Problem {
  return new Problem(problem.code, problem.message, {
    headers: { ...problem.headers, 'X-Should-Retry': 'false' },
    extensions: problem.extensions,
    cause: problem.cause,
  })
}

/**
 * A place that may not be called, and that no user named, is the fault of who configured it: 502, and why is for the log. All other
 * errors are given back as they are.
 */
export function ofOwnPlace(error: unknown, provider: string): unknown {
  if (!(error instanceof Problem) || error.code !== 'bad_request') return error
  return new Problem('upstream_failed', `${provider} cannot be reached.`, { cause: error })
}

/** Whether a provider may have worked for it. */
export function wasSent(error: unknown): boolean {
  return error instanceof DownstreamError && error.sent
}

/** The client went away, and did not just wait too long. */
export function isGone(signal: AbortSignal): boolean {
  return signal.aborted && signal.reason instanceof Problem && signal.reason.code === 'client_closed'
}

function named(cause: DownstreamError, provider: string): Problem {
  if (cause.code === 'client_closed') return cause
  if (cause.code === 'timeout') {
    const what = cause.sent ? 'did not begin to answer in time' : 'could not be connected to in time'
    return new Problem('timeout', `${provider} ${what}.`, { cause })
  }
  const what = cause.sent ? 'broke off before it answered' : 'cannot be reached'
  return new Problem('upstream_failed', `${provider} ${what}.`, { cause })
}
