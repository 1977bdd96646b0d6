import type { Endpoint } from '@waybill/contracts'
import type { Request, Response } from 'express'
import type { Logger } from 'pino'
import type { z } from 'zod'
import type { Guard } from './guard.ts'
import type { Principal } from './principal.ts'
import type { ProblemCode } from './problem.ts'
import type { ProblemDocument } from './problem-response.ts'
import type { Reply } from './reply.ts'

type Schema = z.ZodType | undefined
type Read<S extends Schema> = S extends z.ZodType ? z.output<S> : undefined
type Write<S extends Schema> = S extends z.ZodType ? z.input<S> : unknown

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/**
 * `ALL`: GET (and with it HEAD), POST, PUT, PATCH and DELETE, so that nothing passes on a TRACE, which gives back what it was sent
 * with. `ANY`: really any.
 */
export type RouteMethod = (typeof METHODS)[number] | 'ALL' | 'ANY'

/** The methods that a route is for; those that can be documented, where it is for any. */
export function methodsOf({ method }: { method: RouteMethod }): readonly (typeof METHODS)[number][] {
  return method === 'ALL' || method === 'ANY' ? METHODS : [method]
}

/** What a handler gets: everything validated, the caller known. */
export interface RouteInput<Params, Query, Body, Who> {
  params: Params
  query: Query
  body: Body
  principal: Who
  requestId: string
  log: Logger
  /** Aborted when the client goes away or the time is up. */
  signal: AbortSignal
  /** For the few that stream; everything else is in the fields above. */
  req: Request
  res: Response
}

/** A way to authenticate, by its name in the OpenAPI document. */
export type SecurityScheme =
  'bearer' | 'apiKey' | 'mutualTLS' | 'basic' | 'googleApiKey' | 'azureApiKey' | 'keyParameter'

interface Behaviour {
  /** How the body arrives: parsed as JSON (default when `input.body` is given), or left in `req` for the handler. */
  bodyType?: 'json' | 'multipart' | 'stream'
  /** In bytes; the service's BODY_LIMIT_BYTES unless said. */
  bodyLimitBytes?: number
  /** Keeps the JSON body to the letter: refuses (422) an integer of which a double would lose digits, and (400) bytes that are no UTF-8. */
  exactIntegers?: boolean
  /** In milliseconds; the service's REQUEST_TIMEOUT_MS unless said. */
  timeoutMs?: number
  /** It takes what no other route does, so that a path is not known by it: under another method that is 404, and not 405. */
  takesTheRest?: boolean
  /** What can go wrong beside the usual, for the documentation. */
  problems?: readonly ProblemCode[]
  /** For the documentation only: what the route reads and writes by itself, and nothing here checks. */
  describes?: {
    /** The body of the request; where the route is for all methods, of those that have one. */
    body?: z.ZodType
    /** The fields of an `application/x-www-form-urlencoded` body. */
    form?: z.ZodType
    /** Further ways to authenticate, any one of them; at an open route the only ones. */
    schemes?: readonly SecurityScheme[]
    /** The headers of the request that it heeds, by name; none of them must be there. */
    requestHeaders?: Readonly<Record<string, string>>
    /** Types of the body beside `application/json`: any `application/*+json` is read as that. */
    mediaTypes?: readonly string[]
    /** Types of the answer that no schema describes: `text/event-stream`, or all of them where it comes from elsewhere. */
    answers?: readonly string[]
    /** What the answer is where it is JSON; `output` is the one that is checked. */
    output?: z.ZodType
    /** What `renderProblem` gives back, and the name that it has in the document. */
    error?: { name: string; schema: z.ZodType }
    /** What stands in the headers of the answer, by name. */
    headers?: Readonly<Record<string, string>>
    /** Other statuses of success, and when: `{ 201: 'Created, where there was none' }`. */
    otherwise?: Readonly<Record<number, string>>
  }
  /** The error body in the shape of another protocol (OpenAI's, say) on that protocol's own paths. */
  renderProblem?: (document: ProblemDocument) => unknown
}

interface Handled<
  P extends Schema,
  Q extends Schema,
  B extends Schema,
  O extends Schema,
  Who extends Principal | undefined,
> extends Behaviour {
  /** Mandatory: a route that is open to all says why, with `open('why')`. */
  auth: Guard<Who>
  handle: (
    input: RouteInput<Read<P>, Read<Q>, Read<B>, Who>,
  ) => Promise<Write<O> | Reply | undefined> | Write<O> | Reply | undefined
}

export interface RouteSpec<
  P extends Schema,
  Q extends Schema,
  B extends Schema,
  O extends Schema,
  Who extends Principal | undefined,
> extends Handled<P, Q, B, O, Who> {
  summary: string
  input?: { params?: P; query?: Q; body?: B }
  /** The shape of the answer: checked on its way out, and members it does not name are dropped. */
  output?: O
  /** The status of success; 200 unless said. */
  status?: number
}

/** A route as data: the router, the OpenAPI document, the permission table and the generated tests all read this. */
export interface Route extends Behaviour {
  method: RouteMethod
  /** As Express 5 writes it: `/v1/things/:id`, `/docling/*path`. */
  path: string
  summary: string
  auth: Guard
  input: { params?: z.ZodType; query?: z.ZodType; body?: z.ZodType }
  output?: z.ZodType
  status: number
  handle: (input: RouteInput<unknown, unknown, unknown, Principal | undefined>) => unknown
}

/** Declares a route from its literal path, or from an endpoint contract that its callers share. */
export function route<
  P extends Schema = undefined,
  Q extends Schema = undefined,
  B extends Schema = undefined,
  O extends Schema = undefined,
  Who extends Principal | undefined = Principal | undefined,
>(method: RouteMethod, path: string, spec: RouteSpec<P, Q, B, O, Who>): Route
export function route<
  P extends Schema,
  Q extends Schema,
  B extends Schema,
  O extends Schema,
  Who extends Principal | undefined,
>(endpoint: Endpoint<P, Q, B, O>, spec: Handled<P, Q, B, O, Who>): Route
export function route(...args: [RouteMethod, string, AnySpec] | [Endpoint, AnyHandled]): Route {
  if (args.length === 2) {
    const [{ method, path, summary, params, query, body, output, status = 200 }, spec] = args
    return { ...spec, method, path, summary, input: { params, query, body }, output, status }
  }
  const [method, path, spec] = args
  return { ...spec, method, path, input: spec.input ?? {}, status: spec.status ?? 200 }
}

// The overloads above give handlers their exact types; inside, where routes of all types stand in one list, the
// router guarantees the same by validating before it calls.
type AnyHandled = Behaviour & { auth: Guard; handle: Route['handle'] }
type AnySpec = AnyHandled & { summary: string; input?: Route['input']; output?: z.ZodType; status?: number }
