import type { NextFunction, Request, Response } from 'express'
import { setServerRequestId } from '@waybill/telemetry'
import type { Logger } from 'pino'
import { runInContext } from './context.ts'
import type { RequestContext } from './context.ts'
import { deadlineFor, TIMEOUT_HEADER } from './deadline.ts'
import { Problem } from './problem.ts'
import { acceptRequestId, REQUEST_ID_HEADER } from './request-id.ts'

/** What was answered, for the access log; the path without its query, which may hold what a log should not. */
interface Access {
  method: string
  path: string
  status: number
  ms: number
}

/** What is left of a body that was refused or not wanted would stand between this request and the next. */
function discardRest(req: Request): void {
  if (req.readableEnded) return
  req.unpipe()
  req.resume()
}

/** The first step of every request: its id, its context, its deadline, and one line in the log when it is over. */
export function begin(log: Logger, timeoutFor: (req: Request) => number) {
  return (req: Request, res: Response, next: NextFunction): void => {
    const started = performance.now()
    const requestId = acceptRequestId(req.headers[REQUEST_ID_HEADER.toLowerCase()])
    const deadline = deadlineFor(req.headers[TIMEOUT_HEADER.toLowerCase()], timeoutFor(req))
    const abort = new AbortController()
    const budgetMs = deadline - Date.now()
    const timer = setTimeout(() => {
      abort.abort(new Problem('timeout', `Not finished within ${String(Math.round(budgetMs))} ms.`))
    }, budgetMs)
    const context: RequestContext = { requestId, log, deadline, signal: abort.signal }
    res.set(REQUEST_ID_HEADER, requestId)
    setServerRequestId(requestId)
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
        log.info({ ...access, aborted: res.writableFinished ? undefined : true }, 'request')
      })
    })
    res.once('finish', () => {
      discardRest(req)
    })
    runInContext(context, next)
  }
}
