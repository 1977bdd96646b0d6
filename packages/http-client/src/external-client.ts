import { isIP } from 'node:net'
import { context } from '@opentelemetry/api'
import { suppressTracing } from '@opentelemetry/core'
import { Problem, requestContext } from '@waybill/service-kit'
import { isPublicAddress, publicLookup } from './address-guard.ts'
import { createDirectTransport } from './direct-transport.ts'
import { DownstreamError, fromWireError } from './downstream-error.ts'
import type { CallName } from './downstream-error.ts'
import type { WireBody } from './exact-request.ts'
import { readJson } from './read-body.ts'
import type { WireResponse } from './transport.ts'
import { WireError } from './wire-error.ts'

export interface ExternalRequest {
  method: string
  url: string
  /** Only names on the client's allow-list, and `Authorization`, may stand here. */
  headers?: Record<string, string>
  body?: WireBody
  /** Until there is a connection; only `timeoutMs` unless said. */
  connectTimeoutMs?: number
  timeoutMs?: number
  /** Gives up the request, and its answer while that is being read; that of the request being served unless said. */
  signal?: AbortSignal
  /** True where an operator, and no user, named this address: it may be a private one. */
  allowPrivate?: boolean
}

export interface ExternalAnswer {
  status: number
  headers: Record<string, unknown>
  body: unknown
}

/** Calls to the outside: nothing of the caller's identity, request id, trace or baggage goes along. */
export interface ExternalClient {
  /**
   * Sends the request and gives back the answer with whatever status; redirects are not followed.
   * @throws Problem bad_request for a URL that may not be called, DownstreamError when no answer comes
   */
  send(request: ExternalRequest): Promise<WireResponse>
  /**
   * As `send`, with the whole answer: JSON, text where it is none, undefined where it is empty. `timeoutMs` is until its end,
   * and never longer than the caller waits.
   * @throws DownstreamError also for an answer that breaks off, AnswerTooLongError for one of more than CLIENT_MAX_ANSWER_BYTES
   */
  call(request: ExternalRequest): Promise<ExternalAnswer>
  close(): void
}

export interface ExternalClientOptions {
  /** The header names that may be sent, beside the provider's own credential. */
  allowHeaders: readonly string[]
  timeoutMs: number
  /** The longest answer to call(), in bytes. */
  maxAnswerBytes: number
  maxSockets: number
  /** Origins such as `http://10.0.0.5:11434` that may be called although their addresses are private, whoever named them. */
  allowPrivateOrigins?: readonly string[]
  /**
   * What messages call it where it is a backend of this service, and no place that a client named: as a neighbour it is then
   * 503 when it cannot be reached, and not 502.
   */
  backend?: string
}

export function createExternalClient(options: ExternalClientOptions): ExternalClient {
  const { maxSockets, allowPrivateOrigins = [] } = options
  const allowed = new Set([...options.allowHeaders, 'authorization'].map((name) => name.toLowerCase()))
  const guarded = createDirectTransport({ maxSockets, lookup: publicLookup() })
  const trusted = createDirectTransport({ maxSockets })

  const ask = async (request: ExternalRequest, timeoutMs: number, until: 'head' | 'end') => {
    const { method, url, headers = {}, body, connectTimeoutMs } = request
    const target = parseTarget(url)
    const isTrusted = request.allowPrivate === true || allowPrivateOrigins.includes(target.origin)
    if (!isTrusted) refusePrivateLiteral(target)
    const refused = Object.keys(headers).find((name) => !allowed.has(name.toLowerCase()))
    if (refused !== undefined)
      throw new Problem('internal', `The header ${refused} may not leave the platform.`)
    // Paths of strangers hold what they like, a key for one: the name of the call is the host alone.
    const call: CallName = { service: options.backend ?? target.host, method, path: '*' }
    const signal = request.signal ?? requestContext()?.signal
    // Without a trace, instrumentation-http neither makes a span nor injects traceparent or baggage.
    const response = await context.with(suppressTracing(context.active()), () =>
      (isTrusted ? trusted : guarded)
        .send({ method, url, headers, body, connectTimeoutMs, timeoutMs, until, signal })
        .catch((error: unknown) => {
          if (!(error instanceof WireError)) throw error
          if (error.reason === 'private') throw notPublic(target.hostname)
          const problem = fromWireError(error, call)
          throw problem.code === 'unavailable' && options.backend === undefined
            ? notReached(error, call)
            : problem
        }),
    )
    return { response, call }
  }

  return {
    async send(request) {
      return (await ask(request, request.timeoutMs ?? options.timeoutMs, 'head')).response
    },
    async call(request) {
      const patienceMs = (requestContext()?.deadline ?? Number.POSITIVE_INFINITY) - Date.now()
      const timeoutMs = Math.min(request.timeoutMs ?? options.timeoutMs, Math.max(1, patienceMs))
      const { response, call } = await ask(request, timeoutMs, 'end')
      const { status, headers } = response
      return { status, headers, body: await readJson(response, call, options.maxAnswerBytes) }
    },
    close() {
      guarded.close()
      trusted.close()
    },
  }
}

function parseTarget(url: string): URL {
  const target = URL.parse(url)
  if (!target || !['http:', 'https:'].includes(target.protocol) || target.username || target.password) {
    throw new Problem('bad_request', 'Only http and https URLs without credentials can be called.')
  }
  return target
}

/** A literal address never passes through lookup, so it is judged here. */
function refusePrivateLiteral({ hostname }: URL): void {
  const address = hostname.replace(/^\[|\]$/g, '')
  if (isIP(address) !== 0 && !isPublicAddress(address)) {
    throw notPublic(hostname)
  }
}

/** The outside being down or busy is not our being so: 502 and 504, and not 503. */
function notReached({ reason, sent }: WireError, call: CallName): DownstreamError {
  return reason === 'unconnected'
    ? new DownstreamError('timeout', `No connection to ${call.service} was had in time.`, call, undefined, {
        sent,
      })
    : new DownstreamError('upstream_failed', `${call.service} cannot be reached.`, call, undefined, { sent })
}

function notPublic(hostname: string): Problem {
  return new Problem('bad_request', `${hostname} is not a public address.`)
}
