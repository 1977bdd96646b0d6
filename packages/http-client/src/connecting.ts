import type { ClientRequest } from 'node:http'
import type { Socket } from 'node:net'
import { WireError } from './wire-error.ts'

/** Calls `then` once `asked` has a connection, with TLS once its handshake is over; of one that was used before, at once. */
export function onceConnected(asked: ClientRequest, then: () => void): void {
  asked.once('socket', (socket: Socket) => {
    if (!socket.connecting) then()
    else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', then)
  })
}

/**
 * Calls `giveUp` when `asked` has no connection after `ms` milliseconds, which is also while it waits for one to be free.
 * Gives back what ends the watch.
 */
export function limitConnecting(
  asked: ClientRequest,
  ms: number,
  giveUp: (error: WireError) => void,
): () => void {
  const timer = setTimeout(() => {
    giveUp(new WireError('unconnected', 'no connection in time'))
  }, ms)
  const over = (): void => {
    clearTimeout(timer)
  }
  onceConnected(asked, over)
  asked.once('close', over)
  return over
}

/**
 * Calls `giveUp` when the other side turns the connection into something else (101, RFC 9110 section 15.2.2), which nothing
 * here asks for: without a listener node would tell of neither an answer nor an error.
 */
export function refuseUpgrade(asked: ClientRequest, giveUp: (error: WireError) => void): void {
  asked.once('upgrade', (_answer, socket) => {
    socket.destroy()
    giveUp(new WireError('broken', 'the protocol was switched'))
  })
}
