import type { RequestHandler } from 'express'
import { enforce } from './guard.ts'
import type { Guard } from './guard.ts'
import type { Authenticate, Authenticated } from './handler.ts'
import { asProblem, sendProblem } from './problem-response.ts'

/**
 * Express middleware for applications that have routes of their own: lets through whoever passes `guard`, with the
 * Principal in `res.locals.principal`, and answers everybody else with a problem document (RFC 9457) and, for a 401, a
 * challenge (RFC 6750).
 */
export function protect(authenticate: Authenticate, guard: Guard): RequestHandler {
  return (req, res, next) => {
    const refuse = (error: unknown): void => {
      const problem = asProblem(error)
      // What nobody foresaw is for the application's own error handler, which has a log.
      if (problem.code === 'internal') next(error)
      else sendProblem(res, problem)
    }
    const admit = (caller: Authenticated | undefined): void => {
      enforce(guard, caller?.principal)
      res.locals.principal = caller?.principal
    }
    try {
      const caller = guard.open ? undefined : authenticate(req)
      if (caller instanceof Promise) {
        caller.then(admit).then(() => {
          next()
        }, refuse)
        return
      }
      admit(caller)
    } catch (error) {
      refuse(error)
      return
    }
    next()
  }
}
