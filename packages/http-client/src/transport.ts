import http, { Agent as HttpAgent } from 'node:http'
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import https, { Agent as HttpsAgent } from 'node:https'
import type { Readable } from 'node:stream'
import axios, { AxiosError } from 'axios'
import { limitConnecting, refuseUpgrade } from './connecting.ts'
import { exactPath, headersToSend } from './exact-request.ts'
import type { WireBody } from './exact-request.ts'
import { createTlsAgent } from './tls-agent.ts'
import type { TlsAgentOptions } from './tls-agent.ts'
import { ofAbort, unmade, wireErrorOf, WireError } from './wire-error.ts'

/** One request as it goes onto a connection: no defaults, no redirects, nothing decoded that was not asked for. */
export interface WireRequest {
  method: string
  /** Sent as it stands: neither dots nor encodings are resolved on the way. */
  url: string
  headers: Record<string, string | string[]>
  body?: WireBody
  /** How long a connection may take, in milliseconds, waiting for a free one included; only timeoutMs unless said. */
  connectTimeoutMs?: number | undefined
  /** In milliseconds, until what `until` says. */
  timeoutMs: number
  /** `end`: the whole answer must be in (default). `head`: only its head, since the body may stream for long. */
  until?: 'head' | 'end'
  /** Gives up the request, and its answer while that is being read. */
  signal?: AbortSignal | undefined
}

export interface WireResponse {
  status: number
  headers: Record<string, unknown>
  body: Readable
}

export interface Transport {
  /**
   * Resolves with any status once the headers are in; the body is a stream that the caller must read or destroy, and
   * that fails with a WireError when the time is up.
   * @throws WireError
   */
  send(request: WireRequest): Promise<WireResponse>
  close(): void
}

export interface TransportOptions {
  /** To each host. */
  maxSockets: number
  /** How to reach a service that proves who it is by a certificate: replaces the pool of https. */
  mutualTls?: Omit<TlsAgentOptions, 'pool'> | undefined
}

/** Keep-alive connections by way of axios. */
export function createTransport(options: TransportOptions): Transport {
  const { maxSockets, mutualTls } = options
  const pool = { keepAlive: true, maxSockets, scheduling: 'lifo' as const }
  const agents = { httpAgent: new HttpAgent(pool), httpsAgent: new HttpsAgent(pool) }
  const tlsAgent = mutualTls && createTlsAgent({ ...mutualTls, pool })
  const client = axios.create({
    ...agents,
    adapter: 'http',
    proxy: false,
    maxRedirects: 0,
    decompress: false,
    responseType: 'stream',
    transformRequest: [],
    transformResponse: [],
    validateStatus: () => true,
  })
  return {
    async send(request) {
      const { method, url, body, timeoutMs, until = 'end', signal } = request
      const beforeHead = new AbortController()
      let answer: Readable | undefined
      const giveUp = (error: WireError): void => {
        // Once there is an answer axios must not hear of it: it would end the body with an error of its own, which
        // holds the request with its token.
        if (answer) answer.destroy(error)
        else beforeHead.abort(error)
      }
      const onAbort = (): void => {
        giveUp(ofAbort(signal?.reason))
      }
      const timer = setTimeout(() => {
        giveUp(new WireError('timeout', 'no answer in time'))
      }, timeoutMs)
      const over = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      if (signal?.aborted) onAbort()
      else signal?.addEventListener('abort', onAbort, { once: true })
      try {
        const { status, headers, data } = await client.request<Readable>({
          method,
          url,
          ...(tlsAgent && { httpsAgent: tlsAgent.current() }),
          data: body,
          signal: beforeHead.signal,
          transport: exactly(request, giveUp),
        })
        answer = data
        data.once('close', over)
        if (until === 'head') clearTimeout(timer)
        return { status, headers, body: data }
      } catch (error) {
        over()
        throw beforeHead.signal.aborted ? beforeHead.signal.reason : wireError(error)
      }
    },
    close() {
      tlsAgent?.close()
      agents.httpAgent.destroy()
      agents.httpsAgent.destroy()
    },
  }
}

/**
 * A transport for axios that sends the request as it was given. axios itself would resolve dots and re-encode the path,
 * announce encodings, guess a content type, and trip over a header named like one of its own methods.
 */
function exactly({ url, headers, body, connectTimeoutMs }: WireRequest, giveUp: (error: WireError) => void) {
  const path = exactPath(url)
  const sent = headersToSend(headers, body)
  return {
    request(options: RequestOptions, onAnswer: (answer: IncomingMessage) => void): ClientRequest {
      const { request } = options.protocol === 'https:' ? https : http
      const exact = { ...options, path, headers: sent }
      const asked = request(exact, (answer) => {
        // Whoever has answered in full does not want the rest of the body: its connection would wait for it.
        answer.once('end', () => {
          if (!asked.writableFinished) asked.destroy()
        })
        onAnswer(answer)
      })
      if (connectTimeoutMs !== undefined) limitConnecting(asked, connectTimeoutMs, giveUp)
      refuseUpgrade(asked, giveUp)
      return asked
    },
  }
}

function wireError(error: unknown): Error {
  return error instanceof AxiosError ? wireErrorOf(error) : unmade(error)
}
