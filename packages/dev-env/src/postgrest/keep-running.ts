import { supervise, type Supervised } from '../platform/supervisor.ts'
import type { Server } from './server.ts'

/** Starts a PostgREST that is running again whenever it ends, as services are: about a second later. */
export function keepRunning(
  running: Server,
  launch: () => Server,
  log: (line: string) => void,
): Pick<Supervised, 'pid' | 'kill' | 'close'> {
  let first: Server | undefined = running
  const supervised = supervise({
    start: () => {
      const server = first ?? launch()
      first = undefined
      return server
    },
    log,
  })
  supervised.keepRunning()
  return supervised
}
