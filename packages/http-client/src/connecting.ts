import type { ClientRequest } from 'node:http'
import type { Socket } from 'node:net'
import { WireError } from './wire-error.ts'

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
  const onSocket = (socket: Socket): void => {
    if (!socket.connecting) over()
    else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', over)
  }
  asked.once('socket', onSocket)
  asked.once('close', over)
  return over
}
