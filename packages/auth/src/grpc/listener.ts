import { createServer as createPlainServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { tlsContextOptions } from '@waybill/service-kit'
import type { Logger, Tls } from '@waybill/service-kit'

export interface ListenerOptions {
  tls: Tls | undefined
  clientAuth: 'off' | 'optional' | 'required'
  /** For `required`: why the client may not stay; undefined when it may. */
  peerRefusal: ((socket: Socket) => string | undefined) | undefined
  /** Takes each connection that may stay. */
  accept: (socket: Socket) => void
  log: Logger
}

/** Both ends of a connection: a client can have several from one port of its own, each to another address of ours. */
export type Ends = Partial<Pick<Socket, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>>

export interface Listener {
  /** Rejects with the socket's error, EADDRINUSE for one. */
  listen(where: { host: string; port: number }): Promise<{ port: number }>
  /** The open connection between those ends. */
  connectionOf(ends: Ends): Socket | undefined
  /** Takes no more connections; those that are open stay. Resolves when the last of them is closed. */
  close(): Promise<void>
  /** Ends those that are still open. */
  destroy(): void
}

const HANDSHAKE_LIMIT_MS = 10_000

/**
 * The sockets below gRPC. They are ours and not those of @grpc/grpc-js, which cannot ask for a certificate without
 * requiring one and resumes sessions, which then count as authorised without any.
 */
export function createListener(options: ListenerOptions): Listener {
  const { tls, clientAuth, peerRefusal, accept, log } = options
  const connections = new Map<string, Socket>()
  const handshakes = new Map<string, Socket>()
  const take = (socket: Socket): void => {
    handshakes.delete(nameOf(socket))
    follow(connections, socket)
    // An error is followed by 'close', which is what everybody here waits for.
    socket.on('error', () => undefined)
    const reason = clientAuth === 'required' ? peerRefusal?.(socket) : undefined
    if (reason === undefined) {
      accept(socket)
      return
    }
    log.info({ reason }, 'a client was not let in')
    socket.destroy()
  }
  const server = tls ? createSecure(tls, options, take) : createPlainServer(take)
  if (tls) server.on('connection', (socket: Socket) => follow(handshakes, socket))
  return {
    async listen({ host, port }) {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(port, host, resolve)
      })
      return { port: (server.address() as AddressInfo).port } // it listens on a port, not on a pipe
    },
    connectionOf: (ends) => connections.get(nameOf(ends)),
    async close() {
      // A server that never listened says so, and is as closed as can be.
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of handshakes.values()) socket.destroy()
      await closed
    },
    destroy() {
      for (const socket of connections.values()) socket.destroy()
    },
  }
}

function nameOf({ localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 }: Ends): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}

function follow(sockets: Map<string, Socket>, socket: Socket): void {
  const name = nameOf(socket)
  sockets.set(name, socket)
  socket.once('close', () => {
    if (sockets.get(name) === socket) sockets.delete(name)
  })
}

function createSecure(
  tls: Tls,
  { clientAuth, log }: ListenerOptions,
  take: (socket: Socket) => void,
): Server {
  const server = createTlsServer({
    ...tlsContextOptions(tls.current()),
    ALPNProtocols: ['h2'],
    handshakeTimeout: HANDSHAKE_LIMIT_MS,
    requestCert: clientAuth !== 'off',
    rejectUnauthorized: clientAuth === 'required',
  })
  server.on('secureConnection', take)
  server.on('tlsClientError', ({ code }: NodeJS.ErrnoException) => {
    log.info({ code }, 'a handshake failed')
  })
  server.once(
    'close',
    tls.onSwap((material) => {
      server.setSecureContext(tlsContextOptions(material))
    }),
  )
  return server
}
