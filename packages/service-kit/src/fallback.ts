import type { NextFunction, Request, Response } from 'express'
import { requestContext } from './context.ts'
import { pathMatcher } from './path-matcher.ts'
import { Problem } from './problem.ts'
import { asProblem, sendProblem } from './problem-response.ts'
import { redact } from './redact.ts'
import type { Route } from './route.ts'

/**
 * For what no route took: 405 with `Allow` when the path exists under other methods, else 404. OPTIONS asks for just
 * that `Allow` (RFC 9110 section 9.3.7).
 */
export function notFoundHandler(routes: readonly Pick<Route, 'method' | 'path'>[]) {
  const known = routes.map((route) => ({ method: route.method, matches: pathMatcher(route.path) }))
  return (req: Request, res: Response): void => {
    const methods = known.filter((route) => route.matches(req.path)).map((route) => route.method)
    const allowed = [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : method)))]
    if (allowed.length === 0) {
      sendProblem(res, new Problem('not_found', `There is no ${req.method} ${redact(req.path)} here.`))
      return
    }
    const headers = { Allow: allowed.join(', ') }
    if (req.method === 'OPTIONS') {
      res.status(204).set(headers).end()
      return
    }
    sendProblem(
      res,
      new Problem('method_not_allowed', `${redact(req.path)} does not take ${req.method}.`, { headers }),
    )
  }
}

/** For errors outside any route: a path that cannot be decoded, say. */
export function errorHandler(error: unknown, _req: Request, res: Response, _next: NextFunction): void {
  const problem = asProblem(error)
  if (problem.status >= 500) requestContext()?.log.error({ err: error }, 'unexpected error')
  if (!res.headersSent) sendProblem(res, problem)
  else if (!res.writableEnded) res.destroy()
}
