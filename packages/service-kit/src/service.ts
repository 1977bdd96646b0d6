import type { AddressInfo } from 'node:net'
import express from 'express'
import type { Express, Request } from 'express'
import type { Logger } from 'pino'
import type { Authentication } from './authentication.ts'
import { begin } from './begin.ts'
import { trackConnections } from './connections.ts'
import { errorHandler, notFoundHandler, shapesOf } from './fallback.ts'
import { routeHandler } from './handler.ts'
import type { HandlerOptions } from './handler.ts'
import { createLogger } from './logger.ts'
import { oneHost } from './one-host.ts'
import { pathMatcher } from './path-matcher.ts'
import { unavailable } from './problem.ts'
import { sendProblem } from './problem-response.ts'
import { Readiness } from './readiness.ts'
import type { Check, StartTask } from './readiness.ts'
import { methodsOf } from './route.ts'
import type { Route } from './route.ts'
import type { ServiceConfig } from './service-env.ts'
import { mountSystemRoutes, SYSTEM_ROUTES } from './system-routes.ts'
import { admission, maximumAge } from './tls/admission.ts'
import { createListener } from './tls/listener.ts'
import type { PeerRefusal } from './tls/listener.ts'
import type { Tls } from './tls/tls.ts'

export interface ServiceOptions extends Pick<HandlerOptions, 'throttle' | 'denied'> {
  name: string
  version?: string
  config: ServiceConfig
  auth: Authentication
  routes: readonly Route[]
  logger?: Logger
  /** Callers are strangers: what they say of their patience is not read. */
  edge?: boolean
  /** What openTls gave; it is closed with the service. */
  tls?: Tls | undefined
  /** Done before the first request is let in; retried while neighbours are down. */
  starting?: readonly StartTask[]
  /** What must work for the service to be ready. */
  readiness?: Record<string, Check>
  /** Done after the last request, in order. */
  closing?: readonly (() => Promise<void>)[]
}

/** A service that can be served on a socket or driven by supertest through `app`. */
export interface Service {
  name: string
  app: Express
  routes: readonly Route[]
  log: Logger
  /** Resolves when the start tasks are done and requests are let in. */
  start(): Promise<void>
  /** Listens (port 0: any free one) and gives back where. Rejects with the socket's error, EADDRINUSE for one. */
  listen(where?: { port?: number; host?: string }): Promise<{ url: string; port: number }>
  /** Stops taking requests, lets those under way finish within SHUTDOWN_TIMEOUT_MS, then closes what it holds. */
  close(): Promise<void>
}

/** Puts a service together: its routes behind the one request pipeline, health, metrics and documentation beside them. */
export function createService(options: ServiceOptions): Service {
  const { name, config, routes, auth, version = '0.1.0' } = options
  const tls = config.TLS_LISTEN ? options.tls : undefined
  const strict = strictness(options)
  const log = options.logger ?? createLogger({ service: name, level: config.LOG_LEVEL })
  const checks = { ...(auth.ready && { authentication: auth.ready }), ...options.readiness }
  const readiness = new Readiness(checks, log)
  const stopping = new AbortController()
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('trust proxy', config.TRUSTED_PROXIES)
  app.set('query parser', 'simple')

  const timeoutFor = routeTimeout(routes, config.REQUEST_TIMEOUT_MS)
  app.use(begin(log, { timeoutFor, edge: options.edge ?? false }))
  app.use(oneHost)
  app.use((_req, res, next) => {
    res.set('X-Content-Type-Options', 'nosniff')
    if (stopping.signal.aborted) res.set('Connection', 'close')
    next()
  })
  if (tls) app.use(maximumAge(config))
  if (strict) app.use(admission(strict))
  mountSystemRoutes(app, { name, version, throttled: options.throttle !== undefined }, routes, readiness)
  const shapeAt = shapesOf(routes)
  app.use((req, res, next) => {
    if (readiness.started) next()
    else sendProblem(res, unavailable(`${name} is starting; it`), shapeAt(req.path))
  })
  const handling = {
    authenticate: auth.authenticate,
    bodyLimitBytes: config.BODY_LIMIT_BYTES,
    throttle: options.throttle,
    denied: options.denied,
  }
  for (const route of routes) {
    const handler = routeHandler(route, handling)
    if (route.method === 'ANY') app.all(route.path, handler)
    else for (const method of methodsOf(route)) app[lowerCase(method)](route.path, handler)
  }
  app.use(notFoundHandler([...routes, ...SYSTEM_ROUTES], shapeAt))
  app.use(errorHandler(shapeAt))

  let connections: ReturnType<typeof trackConnections> | undefined
  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    readiness.drain()
    stopping.abort(new Error(`${name} is closing`))
    await connections?.drain(config.SHUTDOWN_TIMEOUT_MS)
    await closeAll([
      async () => auth.close?.(),
      ...(options.closing ?? []),
      () => Promise.resolve(options.tls?.close()),
    ])
  }
  return {
    name,
    app,
    routes,
    log,
    start: () =>
      readiness.start([...(options.starting ?? []), ...(auth.start ? [auth.start] : [])], stopping.signal),
    async listen({ port = config.PORT, host = config.HOST } = {}) {
      const server = createListener(app, { config, tls, peerRefusal: strict, log })
      connections = trackConnections(server)
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(port, host, resolve)
      })
      const address = server.address() as AddressInfo // it listens on a port, not on a pipe
      return { url: `${tls ? 'https' : 'http'}://${host}:${String(address.port)}`, port: address.port }
    },
    close: () => (closed ??= close()),
  }
}

/** As Express names it. */
function lowerCase<Method extends string>(method: Method): Lowercase<Method> {
  return method.toLowerCase() as Lowercase<Method> // what TypeScript calls the same
}

/**
 * How the peers of a strict listener are judged; undefined where it is not strict.
 * @throws Error when a configured TLS, or who judges its peers, was not handed in: nothing is served in clear by mistake
 */
function strictness({ name, config, tls, auth: { peerRefusal } }: ServiceOptions): PeerRefusal | undefined {
  if (config.TLS_CERT_FILE !== '' && !tls)
    throw new Error(`${name}: TLS_CERT_FILE is set, but there is no tls.`)
  if (config.TLS_CLIENT_AUTH !== 'required') return undefined
  if (!tls || !peerRefusal) throw new Error(`${name}: TLS_CLIENT_AUTH=required needs tls and peerRefusal.`)
  return peerRefusal
}

/** One after the other; what cannot be closed does not keep the rest open. Throws the first error at the end. */
async function closeAll(closing: readonly (() => Promise<void>)[]): Promise<void> {
  const results: PromiseSettledResult<void>[] = []
  for (const close of closing) results.push(...(await Promise.allSettled([(async () => close())()])))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

/** The longest a request to this path may take: begin() runs before the router knows the route. */
function routeTimeout(routes: readonly Route[], usualMs: number): (req: Request) => number {
  const special = routes.filter((route) => route.timeoutMs !== undefined)
  if (special.length === 0) return () => usualMs
  const matchers = special.map((route) => ({ ...route, matches: pathMatcher(route.path) }))
  return (req) => matchers.find((route) => route.matches(req.path))?.timeoutMs ?? usualMs
}
