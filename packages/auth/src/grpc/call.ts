import { AsyncLocalStorage } from 'node:async_hooks'
import { status } from '@grpc/grpc-js'
import { acceptRequestId, Problem, REQUEST_ID_HEADER, runInContext } from '@waybill/service-kit'
import type { Logger, RequestContext } from '@waybill/service-kit'
import { setServerRequestId, startRpcServerSpan } from '@waybill/telemetry'

export interface CallOptions {
  /** `package.Service/Method`. */
  name: string
  /** As they came: name, value, name, value. */
  rawHeaders: readonly string[]
  log: Logger
  /** When the client stops waiting, in milliseconds since the epoch. */
  deadline: number
  /** The longest that the call may take, in milliseconds. */
  timeoutMs: number
}

/** One call that is being served. */
export interface Call {
  context: RequestContext
  /** Runs `work` as part of the call: its context, its span. */
  run<T>(work: () => T): T
  /** Ends what belongs to the call, with one line in the log; only the first of several ends counts. */
  end(code: status): void
  /** The client went away, or its time was up. */
  cancel(): void
}

/** Statuses that stand for a failure of this service, by the semantic conventions for RPC. */
const FAILED = new Set([
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.UNIMPLEMENTED,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
])

/** The first step of every call: its id, its context, its deadline, its span. */
export function beginCall({ name, rawHeaders, log, deadline, timeoutMs }: CallOptions): Call {
  const started = performance.now()
  const requestId = acceptRequestId(only(valuesOf(rawHeaders, REQUEST_ID_HEADER.toLowerCase())))
  const until = Math.min(deadline, Date.now() + timeoutMs)
  const abort = new AbortController()
  const budgetMs = until - Date.now()
  const timer = setTimeout(() => {
    abort.abort(new Problem('timeout', `Not finished within ${String(Math.round(budgetMs))} ms.`))
  }, budgetMs)
  const context: RequestContext = { requestId, log, deadline: until, signal: abort.signal }
  const span = startRpcServerSpan(procedureIn(name), traceIn(rawHeaders))
  // What @grpc/grpc-js calls back comes from the connection, outside of any context.
  const run = span.run(() => runInContext(context, () => AsyncLocalStorage.snapshot()))
  run(() => {
    setServerRequestId(requestId)
  })
  let ended = false
  const end = (code: status, aborted?: true): void => {
    if (ended) return
    ended = true
    clearTimeout(timer)
    const ms = Math.round((performance.now() - started) * 10) / 10
    run(() => {
      log.info({ rpc: name, status: status[code], ms, aborted }, 'request')
    })
    span.end({ code, failed: FAILED.has(code) })
  }
  return {
    context,
    run,
    end,
    cancel() {
      if (ended) return
      // A timer may be a moment early.
      const isLate = until - Date.now() <= 1
      abort.abort(
        isLate
          ? new Problem('timeout', 'The deadline of the call has passed.')
          : new Problem('client_closed', 'The client went away.'),
      )
      end(isLate ? status.DEADLINE_EXCEEDED : status.CANCELLED, true)
    },
  }
}

function procedureIn(name: string): { service: string; method: string } {
  const slash = name.lastIndexOf('/')
  return { service: name.slice(0, slash), method: name.slice(slash + 1) }
}

function traceIn(rawHeaders: readonly string[]): Record<string, string> {
  const carrier: Record<string, string> = {}
  for (const name of ['traceparent', 'tracestate']) {
    const value = only(valuesOf(rawHeaders, name))
    if (value !== undefined) carrier[name] = value
  }
  return carrier
}

/** Said twice is not said. */
function only(values: readonly string[]): string | undefined {
  return values.length === 1 ? values[0] : undefined
}

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1] === name)
}
