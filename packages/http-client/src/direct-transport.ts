import http, { Agent as HttpAgent } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import https, { Agent as HttpsAgent } from 'node:https'
import type { LookupFunction, Socket } from 'node:net'
import { exactPath, headersToSend } from './exact-request.ts'
import type { Transport, WireRequest } from './transport.ts'
import { ofAbort, wireErrorOf, WireError } from './wire-error.ts'

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
    send: async (request) =>
      new Promise((resolve, reject) => {
        const { signal, until = 'end' } = request
        if (signal?.aborted) {
          reject(ofAbort(signal.reason))
          return
        }
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
          asked.destroy(error)
        }
        const onAbort = (): void => {
          giveUp(ofAbort(signal?.reason))
        }
        const timer = setTimeout(() => {
          giveUp(new WireError('timeout', 'no answer in time'))
        }, request.timeoutMs)
        const over = (): void => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', onAbort)
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        if (request.connectTimeoutMs !== undefined) limitConnecting(asked, request.connectTimeoutMs, giveUp)
        asked.once('error', (error) => {
          // After the head of the answer it is the answer that tells.
          if (answer) return
          over()
          reject(wireErrorOf(error))
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
      }),
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
    // What is not about the connection, a header that cannot be sent for one, is nobody's fault but ours.
    const { code = 'no code' } = error as NodeJS.ErrnoException // all that node throws is an Error
    // eslint-disable-next-line preserve-caught-error -- its message may quote what could not be written
    throw new Error(`the request could not be made (${code})`)
  }
}

function send(body: WireRequest['body'], asked: ClientRequest, giveUp: (error: WireError) => void): void {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
    asked.end(body)
    return
  }
  body.once('error', () => {
    giveUp(new WireError('aborted', 'the body broke off'))
  })
  body.pipe(asked)
}

/** The time runs while there is no connection, which is also while it waits for one to be free. */
function limitConnecting(asked: ClientRequest, ms: number, giveUp: (error: WireError) => void): void {
  const timer = setTimeout(() => {
    giveUp(new WireError('unconnected', 'no connection in time'))
  }, ms)
  const connected = (): void => {
    clearTimeout(timer)
  }
  const onSocket = (socket: Socket): void => {
    if (!socket.connecting) connected()
    else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', connected)
  }
  asked.once('socket', onSocket)
  asked.once('close', connected)
}
