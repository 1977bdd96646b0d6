import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Target } from './load.ts'

/** In a process that `compare` has started: tells where the server is, and its CPU time in microseconds when asked. */
export function reportTo(target: Target): void {
  process.send?.(target)
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.({ cpu: user + system })
  })
}

/** Listens on a free port of loopback. */
export async function listen(handler: RequestListener): Promise<number> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port // it listens on a port, not on a pipe
}

/** 1 KB of JSON. */
export const BODY = { items: Array.from({ length: 12 }, (_, id) => ({ id, text: 'x'.repeat(60) })) }
