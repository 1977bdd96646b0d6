import type { Request, Response } from 'express'
import { setServerIdentity, setServerRoute } from '@waybill/telemetry'
import { bodyReader } from './body.ts'
import { requestContext } from './context.ts'
import type { RequestContext } from './context.ts'
import { enforce } from './guard.ts'
import { subjectOf } from './principal.ts'
import type { Principal } from './principal.ts'
import { Problem } from './problem.ts'
import { asProblem, sendProblem } from './problem-response.ts'
import { Reply } from './reply.ts'
import type { Route } from './route.ts'
import type { Secret } from './secret.ts'
import { checkOutput, validate } from './validation.ts'

/** A verified caller, with the token it came with where that can be exchanged further. */
export interface Authenticated {
  principal: Principal
  credential?: Secret
}

/** Turns the credential of a request into a caller; undefined when there is none. Throws a Problem when it is bad. */
export type Authenticate = (req: Request) => Promise<Authenticated | undefined>

export interface HandlerOptions {
  authenticate: Authenticate
  bodyLimitBytes: number
}

/**
 * One request through one route, always in this order: who (401), may they (403), what (400, 413, 415), then the
 * handler, then the answer. Nothing of the body is read before the caller has passed.
 */
export function routeHandler(
  route: Route,
  options: HandlerOptions,
): (req: Request, res: Response) => Promise<void> {
  const readBody = bodyReader(route, route.bodyLimitBytes ?? options.bodyLimitBytes)
  return async (req, res) => {
    setServerRoute(route.path)
    const context = currentContext()
    const { requestId, log, signal } = context
    const work = async (): Promise<unknown> => {
      const principal = await identify(route, req, context, options.authenticate)
      signal.throwIfAborted()
      const body = await readBody(req, res)
      signal.throwIfAborted()
      const input = validate(route.input, { params: req.params, query: req.query, body })
      return route.handle({ ...input, principal, requestId, log, signal, req, res })
    }
    try {
      // The time runs for the verification of the caller and for the arrival of the body too.
      answer(route, res, await untilAborted(work(), signal))
    } catch (error) {
      fail(route, res, error, context)
    }
  }
}

async function identify(
  route: Route,
  req: Request,
  context: RequestContext,
  authenticate: Authenticate,
): Promise<Principal | undefined> {
  if (route.auth.open) return undefined
  const caller = await authenticate(req)
  context.principal = caller?.principal
  context.credential = caller?.credential
  if (caller) {
    const { principal } = caller
    setServerIdentity({ subject: subjectOf(principal), actors: principal.actors, via: principal.via })
  }
  enforce(route.auth, caller?.principal)
  return caller?.principal
}

function answer(route: Route, res: Response, result: unknown): void {
  if (res.headersSent || res.writableEnded) return
  const isReply = result instanceof Reply
  const body = checkOutput(route.output, isReply ? result.body : result)
  res.status(isReply ? result.status : route.status)
  if (isReply) res.set(result.headers)
  if (!res.hasHeader('Cache-Control')) res.set('Cache-Control', 'private, no-store')
  if (body === undefined) res.end()
  else res.json(body)
}

function fail(route: Route, res: Response, error: unknown, context: RequestContext): void {
  const problem = asProblem(error)
  if (problem.status >= 500)
    context.log.error({ err: problem.cause ?? problem, code: problem.code }, problem.message)
  else context.log.info({ code: problem.code, detail: problem.message }, 'refused')
  // Half an answer is out: cutting the connection is the only way left to say that it is not whole.
  if (!res.headersSent) sendProblem(res, problem, route.renderProblem)
  else if (!res.writableEnded) res.destroy()
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      const { reason } = signal as { reason: unknown }
      reject(reason instanceof Error ? reason : new Problem('client_closed', 'The request was given up.'))
    }
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** The context that begin() made: without it a route was mounted outside createService. */
function currentContext(): RequestContext {
  const context = requestContext()
  if (!context) throw new Error('no request context')
  return context
}
