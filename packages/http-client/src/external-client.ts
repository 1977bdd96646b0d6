import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { isIP } from 'node:net'
import type { Readable } from 'node:stream'
import { context } from '@opentelemetry/api'
import { suppressTracing } from '@opentelemetry/core'
import { Problem, requestContext } from '@waybill/service-kit'
import { isPublicAddress, publicLookup } from './address-guard.ts'
import { DownstreamError, fromWireError } from './downstream-error.ts'
import { createTransport } from './transport.ts'
import type { WireResponse } from './transport.ts'
import { WireError } from './wire-error.ts'

export interface ExternalRequest {
  method: string
  url: string
  /** Only names on the client's allow-list, and `Authorization`, may stand here. */
  headers?: Record<string, string>
  body?: string | Readable
  timeoutMs?: number
}

/** Calls to the outside: nothing of the caller's identity, request id, trace or baggage goes along. */
export interface ExternalClient {
  /**
   * Sends the request and gives back the answer with whatever status; redirects are not followed.
   * @throws Problem bad_request for a URL that may not be called, DownstreamError when no answer comes
   */
  send(request: ExternalRequest): Promise<WireResponse>
  close(): void
}

export interface ExternalClientOptions {
  /** The header names that may be sent, beside the provider's own credential. */
  allowHeaders: readonly string[]
  timeoutMs: number
  maxSockets: number
  /** Origins such as `http://10.0.0.5:11434` that an operator allows although their addresses are private. */
  allowPrivateOrigins?: readonly string[]
}

export function createExternalClient(options: ExternalClientOptions): ExternalClient {
  const { maxSockets, allowPrivateOrigins = [] } = options
  const allowed = new Set([...options.allowHeaders, 'authorization'].map((name) => name.toLowerCase()))
  const pool = { keepAlive: true, maxSockets, lookup: publicLookup() }
  const guarded = createTransport({
    maxSockets,
    agents: { httpAgent: new HttpAgent(pool), httpsAgent: new HttpsAgent(pool) },
  })
  const trusted = createTransport({ maxSockets })

  return {
    async send({ method, url, headers = {}, body, timeoutMs = options.timeoutMs }) {
      const target = parseTarget(url)
      const isTrusted = allowPrivateOrigins.includes(target.origin)
      if (!isTrusted) refusePrivateLiteral(target)
      const refused = Object.keys(headers).find((name) => !allowed.has(name.toLowerCase()))
      if (refused !== undefined)
        throw new Problem('internal', `The header ${refused} may not leave the platform.`)
      // Paths of strangers hold what they like, a key for one: the name of the call is the host alone.
      const call = { service: target.host, method, path: '*' }
      const signal = requestContext()?.signal
      // Without a trace, instrumentation-http neither makes a span nor injects traceparent or baggage.
      return context.with(suppressTracing(context.active()), () =>
        (isTrusted ? trusted : guarded)
          .send({ method, url: target.href, headers, body, timeoutMs, until: 'head', signal })
          .catch((error: unknown) => {
            if (!(error instanceof WireError)) throw error
            if (error.reason === 'private') throw notPublic(target.hostname)
            const problem = fromWireError(error, call)
            throw problem.code === 'unavailable'
              ? new DownstreamError('upstream_failed', `${target.host} cannot be reached.`, call)
              : problem
          }),
      )
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

function notPublic(hostname: string): Problem {
  return new Problem('bad_request', `${hostname} is not a public address.`)
}
