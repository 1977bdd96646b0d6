import http, { Agent as HttpAgent } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import https, { Agent as HttpsAgent } from 'node:https'
import type { LookupFunction } from 'node:net'
import { limitConnecting, onceConnected, refuseUpgrade } from './connecting.ts'
import { exactPath, headersToSend } from './exact-request.ts'
import type { Transport, WireRequest, WireResponse } from './transport.ts'
import { ofAbort, unmade, wireErrorOf, WireError } from './wire-error.ts'

export interface DirectTransportOptions {
  /** To each host. */
  maxSockets: number
  /** Resolves names for new connections, and may refuse. */
  lookup?: LookupFunction
}

/**
 * Keep-alive connections by node alone. What streams through a service, an answer of a model for one, is paid for by the
 * request and by the chunk: axios in between costs about as much as the rest of the way.
 */
export function createDirectTransport({ maxSockets, lookup }: DirectTransportOptions): Transport {
  // The connection that was used last comes first, so that those which are not needed grow old and end.
  const pool = { keepAlive: true, maxSockets, scheduling: 'lifo' as const, ...(lookup && { lookup }) }
  const agents = { 'http:': new HttpAgent(pool), 'https:': new HttpsAgent(pool) }
  return {
    async send(request) {
      const { promise, resolve, reject } = Promise.withResolvers<WireResponse>()
      const { signal, until = 'end' } = request
      if (signal?.aborted) {
        reject(ofAbort(signal.reason))
        return promise
      }
      // The answer may take minutes, and the listeners here live as long: none of them knows `request`, whose body may be large.
      const asked = ask(request, agents)
      let answer: IncomingMessage | undefined
      const giveUp = (error: WireError): void => {
        if (answer) {
          answer.destroy(error)
          return
        }
        // A request that still waits for a connection would tell of its end only when it has one.
        over()
        reject(error)
        if (asked.socket) asked.destroy(error)
        else letGo(asked)
      }
      const onAbort = (): void => {
        giveUp(ofAbort(signal?.reason))
      }
      const timer = setTimeout(() => {
        giveUp(new WireError('timeout', 'no answer in time'))
      }, request.timeoutMs)
      const connecting =
        request.connectTimeoutMs === undefined
          ? undefined
          : limitConnecting(asked, request.connectTimeoutMs, giveUp)
      const over = (): void => {
        clearTimeout(timer)
        connecting?.()
        signal?.removeEventListener('abort', onAbort)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      let isConnected = false
      onceConnected(asked, () => {
        isConnected = true
      })
      refuseUpgrade(asked, giveUp)
      asked.once('error', (error) => {
        // After the head of the answer it is the answer that tells.
        if (answer) return
        over()
        reject(wireErrorOf(error, { isConnected }))
      })
      asked.once('response', (response: IncomingMessage) => {
        answer = response
        if (until === 'head') clearTimeout(timer)
        response.once('close', over)
        // Whoever has answered in full does not want the rest of the body: its connection would wait for it.
        response.once('end', () => {
          if (!asked.writableFinished) asked.destroy()
        })
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response })
      })
      send(request.body, asked, giveUp)
      return promise
    },
    close() {
      agents['http:'].destroy()
      agents['https:'].destroy()
    },
  }
}

function ask(
  { method, url, headers, body }: WireRequest,
  agents: { 'http:': HttpAgent; 'https:': HttpsAgent },
): ClientRequest {
  const { protocol, hostname, port } = new URL(url)
  const options = {
    method,
    // As node wants it: without the brackets of an IPv6 address.
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? undefined : Number(port),
    path: exactPath(url),
    headers: headersToSend(headers, body),
  }
  try {
    return protocol === 'https:'
      ? https.request({ ...options, agent: agents['https:'] })
      : http.request({ ...options, agent: agents['http:'] })
  } catch (error) {
    throw unmade(error)
  }
}

/** The body waits for the connection, so that a request which never gets one has given nothing of it away. */
function send(body: WireRequest['body'], asked: ClientRequest, giveUp: (error: WireError) => void): void {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    asked.once('socket', () => asked.end(body))
    return
  }
  body.once('error', () => {
    giveUp(new WireError('aborted', 'the body broke off'))
  })
  asked.once('socket', () => body.pipe(asked))
}

/**
 * Given up, it stays in the agent's queue until its turn comes. What it was to send does not: its listeners hold that, and so
 * would the stack of an error.
 */
function letGo(asked: ClientRequest): void {
  asked.removeAllListeners()
  asked.on('error', () => undefined)
  asked.destroy()
}
