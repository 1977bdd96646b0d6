import type { Request, Response } from 'express'
import { setServerIdentity, setServerRoute } from '@waybill/telemetry'
import { bodyReader } from './body.ts'
import { requestContext } from './context.ts'
import type { Credential, RequestContext } from './context.ts'
import { enforce } from './guard.ts'
import { subjectOf } from './principal.ts'
import type { Principal } from './principal.ts'
import { Problem } from './problem.ts'
import { asProblem, sendProblem } from './problem-response.ts'
import { Reply } from './reply.ts'
import type { Route } from './route.ts'
import type { Throttle } from './throttle.ts'
import { checkOutput, validate } from './validation.ts'

/** A verified caller, with what it came with where that can be exchanged further. */
export interface Authenticated {
  principal: Principal
  credential?: Credential
}

/**
 * Turns the credential of a request into a caller; undefined when there is none. At once where it can: a promise costs
 * more than looking up a token that is known. Throws a Problem, or rejects with one, when the credential is bad.
 */
export type Authenticate = (req: Request) => Authenticated | undefined | Promise<Authenticated | undefined>

export interface HandlerOptions {
  authenticate: Authenticate
  bodyLimitBytes: number
  /** Counts the call, once it is known who calls, and refuses it when it is one too many. */
  throttle?: Throttle | undefined
  /** Told of every 403, before it is answered: what is denied may have to stand in an audit. */
  denied?: ((denial: Denial) => Promise<void>) | undefined
}

/** What was not allowed to whom. */
export interface Denial {
  route: Route
  principal: Principal
  problem: Problem
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
      const principal = await identify(route, req, res, context, options)
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
      await reportDenial(route, error, context, options.denied)
      fail(route, res, error, context)
    }
  }
}

async function identify(
  route: Route,
  req: Request,
  res: Response,
  context: RequestContext,
  { authenticate, throttle }: HandlerOptions,
): Promise<Principal | undefined> {
  const authenticated = async (): Promise<Authenticated | undefined> => {
    try {
      return await authenticate(req)
    } catch (error) {
      // A credential that is not good proves nobody.
      await throttle?.({ route, principal: undefined, req, res })
      throw error
    }
  }
  const caller = route.auth.open ? undefined : await authenticated()
  context.principal = caller?.principal
  context.credential = caller?.credential
  if (caller) {
    const { principal } = caller
    setServerIdentity({ subject: subjectOf(principal), actors: principal.actors, via: principal.via })
  }
  await throttle?.({ route, principal: caller?.principal, req, res })
  if (route.auth.open) return undefined
  enforce(route.auth, caller?.principal)
  return caller?.principal
}

/** A denial that cannot be written down is answered all the same, and not hidden. */
async function reportDenial(
  route: Route,
  error: unknown,
  { principal, log }: RequestContext,
  denied: HandlerOptions['denied'],
): Promise<void> {
  if (!denied || !principal || !(error instanceof Problem) || error.status !== 403) return
  await denied({ route, principal, problem: error }).catch((failure: unknown) => {
    log.error({ err: failure, code: error.code }, 'a denial could not be recorded')
  })
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

/** What `work` comes to, unless `signal` aborts first: then its reason is thrown, and `work` goes on unheard. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
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
