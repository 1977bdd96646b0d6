import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { ServiceDefinition } from '@grpc/grpc-js'
import { Problem } from '@waybill/service-kit'
import type { Logger, Tls } from '@waybill/service-kit'
import type { Peers } from '../mtls/peers.ts'
import { createGate } from './gate.ts'
import type { GateOptions } from './gate.ts'
import { createListener } from './listener.ts'
import { captureRawHeaders } from './raw-headers.ts'
import { unary } from './rpc.ts'
import type { Rpc } from './rpc.ts'

export interface GrpcServerOptions {
  /** The service as its .proto file describes it. */
  definition: ServiceDefinition
  /** Each of its methods, no more and no fewer. */
  methods: readonly Rpc[]
  credentials: GateOptions['credentials']
  log: Logger
  config: {
    REQUEST_TIMEOUT_MS: number
    BODY_LIMIT_BYTES: number
    SHUTDOWN_TIMEOUT_MS: number
    GRPC_MAX_CONCURRENT_CALLS: number
    TLS_LISTEN: boolean
    TLS_CLIENT_AUTH: 'off' | 'optional' | 'required'
    TLS_CONNECTION_MAX_AGE_SECONDS: number
  }
  tls?: Tls | undefined
  peers?: Peers | undefined
}

export interface GrpcServer {
  /** Listens (port 0: any free one) and gives back where. Rejects with the socket's error, EADDRINUSE for one. */
  listen(where: { host: string; port: number }): Promise<{ port: number }>
  /** Takes no more calls, lets those under way finish within SHUTDOWN_TIMEOUT_MS, then cuts them off. */
  close(): Promise<void>
}

/** How long a connection without calls is kept, and how often one is asked whether anybody is still there. */
const IDLE_MS = 300_000
const KEEPALIVE_MS = 60_000

/**
 * Serves the methods of one gRPC service, each behind its guard, on connections like those of HTTP.
 * @throws Error for a method of the service that has no guard, or is not the service's
 */
export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const { definition, methods, credentials, log, config, peers } = options
  const byPath = new Map(methods.map((method) => [method.path, method]))
  const handlers = Object.entries(definition).map(([name, { path }]) => {
    const method = byPath.get(path.slice(1))
    if (!method) throw new Error(`The method ${path} has no guard.`)
    byPath.delete(path.slice(1))
    return [name, unary(method)] as const
  })
  const [unknown] = byPath.keys()
  if (unknown !== undefined) throw new Error(`The service has no method ${unknown}.`)

  const strict = config.TLS_CLIENT_AUTH === 'required'
  const tls = config.TLS_LISTEN ? options.tls : undefined
  if (strict && (!tls || !peers)) throw new Error('TLS_CLIENT_AUTH=required needs tls and peers.')
  const rawHeaders = captureRawHeaders()
  const gate = createGate({
    guards: Object.fromEntries(methods.map(({ path, auth }) => [path, auth])),
    credentials,
    rawHeaders,
    log,
    timeoutMs: config.REQUEST_TIMEOUT_MS,
    peerOf(ends) {
      const socket = listener.connectionOf(ends)
      const peer = socket && peers?.peerOf(socket)
      // Since the handshake the certificate may have expired or its CA been removed.
      if (strict && !peer) throw new Problem('invalid_token', 'A client certificate is required.')
      return peer
    },
  })
  const server = new Server({
    interceptors: [gate],
    'grpc.max_receive_message_length': config.BODY_LIMIT_BYTES,
    'grpc.max_concurrent_streams': config.GRPC_MAX_CONCURRENT_CALLS,
    'grpc.max_connection_idle_ms': IDLE_MS,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.enable_channelz': 0,
    ...(tls && {
      'grpc.max_connection_age_ms': config.TLS_CONNECTION_MAX_AGE_SECONDS * 1000,
      'grpc.max_connection_age_grace_ms': config.REQUEST_TIMEOUT_MS,
    }),
  })
  server.addService(definition, Object.fromEntries(handlers))
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const listener = createListener({
    tls,
    clientAuth: tls ? config.TLS_CLIENT_AUTH : 'off',
    peerRefusal: peers && ((socket) => peers.peerRefusal(socket)),
    accept: (socket) => {
      injector.injectConnection(socket)
    },
    log,
  })

  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    const limit = setTimeout(() => {
      server.forceShutdown()
      listener.destroy()
    }, config.SHUTDOWN_TIMEOUT_MS)
    const ended = listener.close()
    // Tells clients to go elsewhere. Its callback knows nothing of connections that were handed in, so the sockets tell
    // when the last call is over.
    server.tryShutdown(() => undefined)
    await ended
    clearTimeout(limit)
    rawHeaders.close()
  }
  const listen: GrpcServer['listen'] = (where) => {
    rawHeaders.open()
    return listener.listen(where)
  }
  return { listen, close: () => (closed ??= close()) }
}
