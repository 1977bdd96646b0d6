import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { portIsFree, portOf, PortTakenError } from '../ports.ts'
import { receive } from './intake.ts'
import { RequestError } from './request-error.ts'
import { sendJson } from './respond.ts'
import { show } from './show.ts'
import { createTraceStore, type TraceStore } from './store.ts'

export interface ReceiverOptions {
  /** A port of 127.0.0.1 and no other. */
  port?: number
  /** A port that is nice to have: when it is taken, any free one does. */
  preferPort?: number
  /** How many traces are kept; older ones are forgotten. 500 by default. */
  maxTraces?: number
}

export interface TraceReceiver {
  url: string
  port: number
  store: TraceStore
  close: () => Promise<void>
}

/**
 * Takes OTLP/HTTP in JSON on 127.0.0.1 (spans are kept in memory; metrics and logs are accepted and dropped), and shows
 * requests: `/`, `/requests/:requestId`, `/traces/:traceId`, and as JSON `/api/traces?request_id=` and
 * `/api/traces/:traceId`. Throws PortTakenError when `port` is taken.
 */
export async function startTraceReceiver(options: ReceiverOptions = {}): Promise<TraceReceiver> {
  const store = createTraceStore(options.maxTraces ?? 500)
  const wanted = await choosePort(options)
  const server = createServer((request, response) => {
    answer(request, response, store).catch((error: unknown) => {
      const refusal =
        error instanceof RequestError ? error : new RequestError(500, 'The trace receiver failed.')
      // What is left of the body is not read: the connection goes with the answer.
      response.setHeader('Connection', 'close')
      sendJson(response, refusal.status, { error: refusal.message })
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: wanted }, resolve)
  })
  const port = portOf(server)
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => {
        resolve()
      })
      server.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${port}`, port, store, close }
}

/** Zero leaves the choice to the system. */
async function choosePort({ port, preferPort }: ReceiverOptions): Promise<number> {
  if (port !== undefined && !(await portIsFree(port))) {
    throw new PortTakenError(port, 'the trace receiver', 'TRACES_PORT')
  }
  if (port !== undefined) return port
  return preferPort !== undefined && (await portIsFree(preferPort)) ? preferPort : 0
}

async function answer(request: IncomingMessage, response: ServerResponse, store: TraceStore): Promise<void> {
  const url = URL.parse(`http://receiver${request.url ?? '/'}`)
  if (!url) throw new RequestError(400, 'That is no path.')
  if (request.method === 'POST') {
    await receive(url.pathname, request, response, store)
    return
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    sendJson(response, 405, { error: `${String(request.method)} is not for ${url.pathname}.` })
    return
  }
  show(url, response, store)
}
