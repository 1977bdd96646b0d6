import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { Endpoint } from '@waybill/contracts'
import { Problem, requestContext } from '@waybill/service-kit'
import type { z } from 'zod'
import type { CredentialPicker } from './credentials.ts'
import { DownstreamError, fromAnswer, fromWireError } from './downstream-error.ts'
import type { CallName } from './downstream-error.ts'
import { forwardableRequestHeaders, forwardableResponseHeaders, stampedHeaders } from './header-policy.ts'
import { readJson } from './read-body.ts'
import type { RetryPolicy } from './retry.ts'
import type { Transport, WireRequest, WireResponse } from './transport.ts'
import { pathFor } from './url.ts'
import { WireError } from './wire-error.ts'
import { within } from './within.ts'

type Schema = z.ZodType | undefined
type Sent<S extends Schema> = S extends z.ZodType ? z.input<S> : undefined
type Received<S extends Schema> = S extends z.ZodType ? z.output<S> : undefined

export interface CallInput<P extends Schema, Q extends Schema, B extends Schema> {
  params?: Sent<P>
  query?: Sent<Q>
  body?: Sent<B>
  /** Stands in the token when this service may assert it. */
  workspaceId?: string
  /** In milliseconds, if less than CLIENT_TIMEOUT_MS. */
  timeoutMs?: number
  /** The call may be made twice without harm although it is a POST. */
  idempotent?: boolean
}

/** A client's request on its way through the front door. */
export interface ForwardedRequest {
  method: string
  /** Path and query as they are to arrive. */
  path: string
  headers: IncomingHttpHeaders
  /** The body as it comes in; undefined when there is none. */
  body?: Readable | undefined
  /** Sent without any credential: the route behind is open. */
  anonymous?: boolean
  /** Further headers to stamp, `X-Forwarded-For` for one. */
  stamp?: Record<string, string>
  /** In milliseconds until the head of the answer, in place of CLIENT_TIMEOUT_MS. */
  timeoutMs?: number
}

/** Calls to one neighbour, each with the identity, request id, trace and deadline of the request being served. */
export interface InternalClient {
  /**
   * Calls `endpoint` and gives back its checked answer.
   * A token that the neighbour answers with 401 is replaced, and the call made once more: it has done nothing yet.
   * @throws DownstreamError (502, 503, 504, or the neighbour's own 4xx), Problem
   */
  call<P extends Schema, Q extends Schema, B extends Schema, O extends Schema>(
    endpoint: Endpoint<P, Q, B, O>,
    input?: CallInput<P, Q, B>,
  ): Promise<Received<O>>
  /** Sends a request on as it is, streaming, and gives back the answer with whatever status. */
  forward(request: ForwardedRequest): Promise<ForwardedResponse>
}

export interface ForwardedResponse {
  status: number
  headers: Record<string, string | string[]>
  body: Readable
}

export interface InternalClientOptions {
  /** The service that calls. */
  self: string
  /** The service that is called; the audience of the token. */
  service: string
  baseUrl: string
  transport: Transport
  credentials: CredentialPicker
  retry: RetryPolicy
  timeoutMs: number
  /** How long what is forwarded may wait for a connection, in milliseconds; as long as for its answer unless said. */
  connectTimeoutMs?: number | undefined
  /** The longest answer to call(), in bytes. */
  maxAnswerBytes: number
}

const IDEMPOTENT = new Set(['GET', 'PUT', 'DELETE'])

export function createInternalClient(options: InternalClientOptions): InternalClient {
  const { service, baseUrl, transport, retry } = options

  /** When a call must be over, in milliseconds since the epoch: its own limit, or the caller's patience if less. */
  const giveUpAt = (limitMs: number): number =>
    Math.min(Date.now() + limitMs, requestContext()?.deadline ?? Number.POSITIVE_INFINITY)
  const remaining = (until: number): number => {
    const remainingMs = until - Date.now()
    if (remainingMs <= 0) throw new Problem('timeout', `No time was left to call ${service}.`)
    return remainingMs
  }

  const attempt = async (request: WireRequest, call: CallName): Promise<WireResponse> => {
    try {
      return await transport.send(request)
    } catch (error) {
      throw error instanceof WireError ? fromWireError(error, call) : error
    }
  }

  /** The stamped headers, and what is left of the time after the credential was had. */
  const identify = async (until: number, workspaceId?: string) => {
    const picked = options.credentials.pick({ service, baseUrl, workspaceId })
    const {
      authorization,
      backed,
      forget,
      inOwnName = false,
    } = await within(remaining(until), picked, `No token for ${service} was had in time.`)
    const timeoutMs = remaining(until)
    const principal = inOwnName ? undefined : requestContext()?.principal
    const stamped = stampedHeaders(principal, options.self, timeoutMs)
    // A name that the credential does not back would be refused, and rightly so.
    const headers = { ...stamped, ...(!backed && { 'X-Service-Name': '' }), Authorization: authorization }
    return { headers, timeoutMs, forget, ownToken: !forget && !inOwnName }
  }

  return {
    async call(endpoint, input = {}) {
      const { method, path, output } = endpoint
      const call: CallName = { service, method, path }
      const url = baseUrl + pathFor(path, input.params, input.query)
      const body = input.body === undefined ? undefined : JSON.stringify(input.body)
      const repeatable = input.idempotent ?? IDEMPOTENT.has(method)
      const until = giveUpAt(Math.min(input.timeoutMs ?? Number.POSITIVE_INFINITY, options.timeoutMs))
      const contentType = body !== undefined && { 'Content-Type': 'application/json' }
      const sendOnce = async () => {
        const { headers: identity, timeoutMs, forget, ownToken } = await identify(until, input.workspaceId)
        const headers = { ...identity, ...contentType }
        const signal = requestContext()?.signal
        const response = await attempt({ method, url, headers, body, timeoutMs, signal }, call)
        return { response, answer: await readJson(response, call, options.maxAnswerBytes), forget, ownToken }
      }
      const send = async () => {
        const first = await sendOnce()
        if (first.response.status !== 401 || !first.forget) return first
        first.forget()
        return sendOnce()
      }
      retry.earn()
      for (let tried = 1; ; tried += 1) {
        try {
          const { response, answer, ownToken } = await send()
          if (response.status >= 200 && response.status < 300) return parse(output, answer, call)
          const retryAfter = response.headers['retry-after']
          throw fromAnswer(call, {
            status: response.status,
            body: answer,
            ownToken,
            retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
          })
        } catch (error) {
          const pauseMs =
            repeatable && isPassing(error) ? retry.pauseBefore(tried, until - Date.now()) : undefined
          if (pauseMs === undefined) throw error
          await new Promise((resolve) => setTimeout(resolve, pauseMs))
        }
      }
    },

    async forward(request) {
      const call: CallName = { service, method: request.method, path: '*' }
      const until = giveUpAt(request.timeoutMs ?? options.timeoutMs)
      const { headers, timeoutMs, forget } = request.anonymous
        ? {
            headers: stampedHeaders(undefined, '', remaining(until)),
            timeoutMs: remaining(until),
            forget: undefined,
          }
        : await identify(until)
      const response = await attempt(
        {
          method: request.method,
          url: baseUrl + request.path,
          headers: { ...forwardableRequestHeaders(request.headers), ...request.stamp, ...headers },
          body: request.body,
          connectTimeoutMs: options.connectTimeoutMs,
          timeoutMs,
          until: 'head',
          signal: requestContext()?.signal,
        },
        call,
      )
      // The body is spent, so the client alone can ask again; then with a new token.
      if (refusesToken(response)) forget?.()
      return { ...response, headers: forwardableResponseHeaders(response.headers) }
    },
  }
}

/** Whether it is the platform's own 401 (RFC 6750), and not one that a service passes on from somewhere else. */
function refusesToken({ status, headers }: WireResponse): boolean {
  const challenge = headers['www-authenticate']
  return status === 401 && typeof challenge === 'string' && challenge.startsWith('Bearer realm="waybill"')
}

function isPassing(error: unknown): boolean {
  return error instanceof DownstreamError && (error.code === 'unavailable' || error.downstreamStatus === 502)
}

function parse<O extends Schema>(output: O | undefined, answer: unknown, call: CallName): Received<O> {
  const result = output?.safeParse(answer)
  if (result && !result.success) {
    throw new DownstreamError('upstream_failed', `${call.service} answered in an unexpected form.`, call)
  }
  return result?.data as Received<O> // without a schema there is nothing to give back
}
