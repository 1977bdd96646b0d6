import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { createTestIssuer } from '@waybill/dev-env/testing'
import type { TestIssuer } from '@waybill/dev-env/testing'
import { loadConfig } from '@waybill/service-kit'
import { createApp } from '../src/app.ts'
import { configSchema } from '../src/config.ts'

/** A request as it arrived behind the door. */
export interface Arrival {
  method: string
  url: string
  headers: IncomingMessage['headers']
  /** Every name as it was spelt, so that an alias cannot hide. */
  names: string[]
}

export type Handler = (req: IncomingMessage, res: ServerResponse) => void

export interface Upstream {
  url: string
  arrivals: Arrival[]
  /** What the next requests are answered with; 200 `ok` at first. */
  handle: Handler
  server: Server
  close: () => Promise<void>
}

/** A service behind the door that writes down what it is sent. */
export async function upstream(): Promise<Upstream> {
  const arrivals: Arrival[] = []
  const sockets = new Set<Socket>()
  // Idle connections stay: what closes one is the gateway, or the test.
  const server = createServer({ keepAliveTimeout: 600_000 }, (req, res) => {
    const names = req.rawHeaders.filter((_, at) => at % 2 === 0)
    arrivals.push({ method: req.method ?? '', url: req.url ?? '', headers: req.headers, names })
    made.handle(req, res)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await listen(server)
  const made: Upstream = {
    url: urlOf(server),
    arrivals,
    server,
    handle: (req, res) => {
      req.resume()
      res.end('ok')
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
  return made
}

export async function listen(server: Server, port = 0): Promise<void> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
}

export function urlOf(server: Server): string {
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
}

export interface Stand {
  url: string
  port: number
  issuer: TestIssuer
  /** One stand-in for all services; auth-service is another. */
  behind: Upstream
  auth: Upstream
  /** The forms that `/oauth/token` was sent. */
  exchanges: URLSearchParams[]
  close: () => Promise<void>
}

/** The gateway on a socket of its own, between real sockets on both sides. */
export async function stand(environment: NodeJS.ProcessEnv = {}): Promise<Stand> {
  const [issuer, behind, auth] = await Promise.all([createTestIssuer(), upstream(), upstream()])
  const exchanges: URLSearchParams[] = []
  auth.handle = (req, res) => {
    void text(req).then((body) => {
      if (req.url !== '/oauth/token') {
        res.end('ok')
        return
      }
      const form = new URLSearchParams(body)
      exchanges.push(form)
      const audience = form.get('audience') ?? ''
      res.end(
        JSON.stringify({ access_token: `obo-${audience}`, token_type: 'Bearer', expires_in: 300, scope: '' }),
      )
    })
  }
  const config = loadConfig(configSchema, {
    LOG_LEVEL: 'silent',
    SERVICE_SECRET: 'gateway-secret',
    AUTH_SERVICE_URL: auth.url,
    LLM_PROXY_URL: behind.url,
    DOCLING_URL: behind.url,
    DATA_STORE_URL: behind.url,
    WORK_PLATFORM_URL: behind.url,
    SHUTDOWN_TIMEOUT_MS: '0',
    ...environment,
  })
  const gateway = createApp(config, { issuer: issuer.issuer })
  const { url, port } = await gateway.listen({ port: 0 })
  await gateway.start()
  const close = async (): Promise<void> => {
    await Promise.all([gateway.close(), behind.close(), auth.close()])
  }
  return { url, port, issuer, behind, auth, exchanges, close }
}

/** What came back for bytes that no proper client would send. */
export async function raw(port: number, ...lines: string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write([...lines, 'Host: gateway.test', 'Connection: close', '', ''].join('\r\n'))
  return text(socket)
}

/** Waits for `event` of `emitter`, once. */
export function once(emitter: NodeJS.EventEmitter, event: string): Promise<unknown> {
  return new Promise((resolve) => emitter.once(event, resolve))
}

/** A promise to be kept later. */
export function gate(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((keep) => (resolve = keep))
  return { promise, resolve }
}
