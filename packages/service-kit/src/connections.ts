import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as NetServer } from 'node:net'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Server as TlsServer, TLSSocket } from 'node:tls'
import { Problem } from './problem.ts'
import { problemDocument } from './problem-response.ts'

/**
 * Follows the connections of `server`: answers with a problem what is no HTTP at all, and gives back how to empty it.
 * Emptying takes no new connections, ends each one as soon as its answers are out, and cuts off after `limitMs`.
 */
export function trackConnections(server: Server): { drain: (limitMs: number) => Promise<void> } {
  const underWay = new Map<Duplex, number>()
  let draining = false

  const follow = (socket: Socket): void => {
    underWay.set(socket, 0)
    socket.once('close', () => underWay.delete(socket))
  }
  const handshakes = server instanceof TlsServer ? trackHandshakes(server, follow) : new Map<string, Socket>()
  if (!(server instanceof TlsServer)) server.on('connection', follow)
  server.on('request', ({ socket }: IncomingMessage, res: ServerResponse) => {
    underWay.set(socket, (underWay.get(socket) ?? 0) + 1)
    res.once('close', () => {
      const left = (underWay.get(socket) ?? 1) - 1
      if (underWay.has(socket)) underWay.set(socket, left)
      if (draining && left === 0) socket.destroySoon()
    })
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // An answer that is under way must not get another one into its middle; without a handshake there can be none.
    const isHandshake = socket instanceof TLSSocket && !underWay.has(socket)
    if (isHandshake || !socket.writable || error.code === 'ECONNRESET' || (underWay.get(socket) ?? 0) > 0)
      socket.destroy()
    else socket.end(rawProblem(error.code), () => socket.destroy())
  })

  return {
    async drain(limitMs) {
      draining = true
      const last = setTimeout(() => {
        server.closeAllConnections()
      }, limitMs)
      // close() of http would also destroy each connection whose answer was handed over but is not yet sent.
      const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()))
      for (const socket of handshakes.values()) socket.destroy()
      for (const [socket, answers] of underWay) if (answers === 0) socket.destroy()
      await closed
      clearTimeout(last)
    },
  }
}

/**
 * The sockets below TLS whose handshake is not over; each that comes through goes to `secured` as its TLS socket. The
 * two are not linked, so the address of the client tells which became which.
 */
function trackHandshakes(server: TlsServer, secured: (socket: TLSSocket) => void): Map<string, Socket> {
  const handshakes = new Map<string, Socket>()
  const clientOf = ({ remoteAddress = '', remotePort = 0 }: Socket): string =>
    `${remoteAddress} ${remotePort}`
  server.on('connection', (socket: Socket) => {
    const client = clientOf(socket)
    handshakes.set(client, socket)
    socket.once('close', () => {
      if (handshakes.get(client) === socket) handshakes.delete(client)
    })
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    handshakes.delete(clientOf(socket))
    secured(socket)
  })
  return handshakes
}

function rawProblem(code: string | undefined): string {
  const problem =
    code === 'HPE_HEADER_OVERFLOW'
      ? new Problem('headers_too_large', 'The header fields are larger than is accepted.')
      : new Problem('bad_request', 'The request cannot be read.')
  const requestId = randomUUID()
  const body = JSON.stringify({ ...problemDocument(problem), request_id: requestId })
  return [
    `HTTP/1.1 ${String(problem.status)} ${STATUS_CODES[problem.status] ?? ''}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    `X-Request-ID: ${requestId}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}
