import type { NextFunction, Request, Response } from 'express'
import { setServerPath, setServerRequestId } from '@waybill/telemetry'
import type { Logger } from 'pino'
import { runInContext } from './context.ts'
import type { RequestContext } from './context.ts'
import { deadlineFor, TIMEOUT_HEADER } from './deadline.ts'
import { Problem } from './problem.ts'
import { redact } from './redact.ts'
import { acceptRequestId, REQUEST_ID_HEADER } from './request-id.ts'

/** What was answered, for the access log; the path without its query, which may hold what a log should not. */
interface Access {
  method: string
  path: string
  status: number
  ms: number
}

/** Asked every few seconds by machines: a line each would bury the others. */
const PROBES = new Set(['/livez', '/readyz', '/metrics'])

export interface BeginOptions {
  /** The longest that this request may take, in milliseconds. */
  timeoutFor: (req: Request) => number
  /** Whether callers are strangers, whose X-Request-Timeout-Ms is not read. */
  edge: boolean
}

/** What is left of a body that was refused or not wanted would stand between this request and the next. */
function discardRest(req: Request): void {
  if (req.readableEnded) return
  req.unpipe()
  req.resume()
}

/** The first step of every request: its id, its context, its deadline, and one line in the log when it is over. */
export function begin(log: Logger, { timeoutFor, edge }: BeginOptions) {
  return (req: Request, res: Response, next: NextFunction): void => {
    const started = performance.now()
    const requestId = acceptRequestId(req.headers[REQUEST_ID_HEADER.toLowerCase()])
    const patience = edge ? undefined : req.headers[TIMEOUT_HEADER.toLowerCase()]
    const deadline = deadlineFor(patience, timeoutFor(req))
    const abort = new AbortController()
    const budgetMs = deadline - Date.now()
    const timer = setTimeout(() => {
      abort.abort(new Problem('timeout', `Not finished within ${String(Math.round(budgetMs))} ms.`))
    }, budgetMs)
    const context: RequestContext = { requestId, log, deadline, signal: abort.signal }
    res.set(REQUEST_ID_HEADER, requestId)
    setServerRequestId(requestId)
    // People put credentials into paths; the instrumentation has already written down the path as it came.
    const masked = redact(req.path)
    if (masked !== req.path) setServerPath(masked)
    res.once('close', () => {
      clearTimeout(timer)
      if (!res.writableFinished) abort.abort(new Problem('client_closed', 'The client went away.'))
      const access: Access = {
        method: req.method,
        path: req.path,
        status: res.statusCode,
        ms: Math.round((performance.now() - started) * 10) / 10,
      }
      runInContext(context, () => {
        const level = PROBES.has(req.path) ? 'debug' : 'info'
        log[level]({ ...access, aborted: res.writableFinished ? undefined : true }, 'request')
      })
    })
    res.once('finish', () => {
      discardRest(req)
    })
    runInContext(context, next)
  }
}
