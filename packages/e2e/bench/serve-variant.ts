import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Target } from './load.ts'

/** In a process that `compare` has started: tells where the server is, and its CPU time in microseconds when asked. */
export function reportTo(target: Target, cpuOf: () => number = ownCpu): void {
  process.send?.(target)
  process.on('message', () => {
    process.send?.({ cpu: cpuOf() })
  })
}

function ownCpu(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** CPU time of another process (Linux), in microseconds; the kernel counts it in hundredths of a second. */
export function cpuOfProcess(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field, the name, may hold spaces; user and system time are the 14th and 15th.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

/** Listens on a free port of loopback. */
export async function listen(handler: RequestListener): Promise<number> {
  // It keeps the client's connections while others have their turn.
  const server = createServer({ keepAliveTimeout: 600_000 }, handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port // it listens on a port, not on a pipe
}

/** 1 KB of JSON. */
export const BODY = { items: Array.from({ length: 12 }, (_, id) => ({ id, text: 'x'.repeat(60) })) }
