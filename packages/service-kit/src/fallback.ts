import type { NextFunction, Request, Response } from 'express'
import { requestContext } from './context.ts'
import { pathMatcher } from './path-matcher.ts'
import { Problem } from './problem.ts'
import { asProblem, sendProblem } from './problem-response.ts'
import { redact } from './redact.ts'
import { methodsOf } from './route.ts'
import type { Route } from './route.ts'

type Known = Pick<Route, 'method' | 'path' | 'takesTheRest' | 'renderProblem'>
type ShapeAt = (path: string) => Route['renderProblem']

/**
 * For what no route took: 405 with `Allow` when the path exists under other methods, else 404. OPTIONS asks for just
 * that `Allow` (RFC 9110 section 9.3.7).
 */
export function notFoundHandler(routes: readonly Known[], shapeAt: ShapeAt) {
  const known = routes
    .filter(({ takesTheRest }) => takesTheRest !== true)
    .map((route) => ({ methods: methodsOf(route), matches: pathMatcher(route.path) }))
  return (req: Request, res: Response): void => {
    const methods = known.filter((route) => route.matches(req.path)).flatMap((route) => route.methods)
    const allowed = [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : method)))]
    const shape = shapeAt(req.path)
    if (allowed.length === 0) {
      sendProblem(res, new Problem('not_found', `There is no ${req.method} ${redact(req.path)} here.`), shape)
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
      shape,
    )
  }
}

/** For errors outside any route: a path that cannot be decoded, say. */
export function errorHandler(shapeAt: ShapeAt) {
  return (error: unknown, req: Request, res: Response, _next: NextFunction): void => {
    const problem = asProblem(error)
    if (problem.status >= 500) requestContext()?.log.error({ err: error }, 'unexpected error')
    if (!res.headersSent) sendProblem(res, problem, shapeAt(req.path))
    else if (!res.writableEnded) res.destroy()
  }
}

/**
 * The shape of errors on a path that no route took: that of the first route which would have the path under another method. One for
 * all that is below `/vendor` speaks for `/vendor` too.
 */
export function shapesOf(routes: readonly Known[]): ShapeAt {
  const shapes = routes.flatMap(({ path, renderProblem }) =>
    [path, path.replace(/\/\*\w+$/, '')].map((pattern) => ({ matches: pathMatcher(pattern), renderProblem })),
  )
  return (path) => shapes.find(({ matches }) => matches(path))?.renderProblem
}
