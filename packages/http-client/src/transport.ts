import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Readable } from 'node:stream'
import axios, { AxiosError } from 'axios'

/** One request as it goes onto a connection: no defaults, no redirects, nothing decoded that was not asked for. */
export interface WireRequest {
  method: string
  url: string
  headers: Record<string, string | string[]>
  body?: string | Readable | undefined
  timeoutMs: number
  signal?: AbortSignal | undefined
}

export interface WireResponse {
  status: number
  headers: Record<string, unknown>
  body: Readable
}

/** Why no answer came. Made from the socket's error without keeping it: axios errors hold the request with its token. */
export class WireError extends Error {
  override readonly name = 'WireError'
  readonly reason: 'refused' | 'broken' | 'timeout' | 'aborted'

  constructor(reason: WireError['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}

export interface Transport {
  /** Resolves with any status once the headers are in; the body is a stream that the caller must read or destroy. */
  send(request: WireRequest): Promise<WireResponse>
  close(): void
}

interface Agents {
  httpAgent: HttpAgent
  httpsAgent: HttpsAgent
}

/** Keep-alive connections by way of axios. `agents` replaces the pools, for those that check addresses. */
export function createTransport(options: { maxSockets: number; agents?: Agents }): Transport {
  const pool = { keepAlive: true, maxSockets: options.maxSockets, scheduling: 'lifo' as const }
  const agents = options.agents ?? { httpAgent: new HttpAgent(pool), httpsAgent: new HttpsAgent(pool) }
  const client = axios.create({
    ...agents,
    adapter: 'http',
    proxy: false,
    maxRedirects: 0,
    maxBodyLength: Infinity,
    decompress: false,
    responseType: 'stream',
    transformRequest: [],
    transformResponse: [],
    validateStatus: () => true,
  })
  // axios adds these to every request; what travels is for the caller to say.
  client.defaults.headers.common = {}
  return {
    async send({ method, url, headers, body, timeoutMs, signal }) {
      try {
        const response = await client.request<Readable>({
          method,
          url,
          headers: { 'User-Agent': 'waybill', Accept: '*/*', ...headers },
          data: body,
          timeout: Math.max(1, timeoutMs),
          ...(signal && { signal }),
        })
        return {
          status: response.status,
          headers: response.headers,
          body: response.data,
        }
      } catch (error) {
        throw wireError(error)
      }
    },
    close() {
      agents.httpAgent.destroy()
      agents.httpsAgent.destroy()
    },
  }
}

const REFUSED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN'])
const TIMED_OUT = new Set(['ECONNABORTED', 'ETIMEDOUT'])

function wireError(error: unknown): WireError {
  const code = error instanceof AxiosError ? (error.code ?? '') : 'UNKNOWN'
  if (axios.isCancel(error)) return new WireError('aborted', 'the caller gave up')
  if (REFUSED.has(code)) return new WireError('refused', `no connection (${code})`)
  if (TIMED_OUT.has(code)) return new WireError('timeout', 'no answer in time')
  return new WireError('broken', `the connection broke (${code || 'no code'})`)
}
