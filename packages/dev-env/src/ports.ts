import { randomInt } from 'node:crypto'
import { createServer, type Server } from 'node:net'

const HOST = '127.0.0.1'

/**
 * Below the range from which systems take the ports of outgoing connections: a service that is restarted on its port
 * must not find it used by somebody's request.
 */
const RANGE = { first: 20_000, count: 12_000 }
const ATTEMPTS = 50

/** Thrown when something else listens on a port that was asked for by number. */
export class PortTakenError extends Error {
  readonly port: number
  constructor(port: number, usedBy: string, variable: string) {
    super(
      `Port ${port} is taken by another process; ${usedBy} needs it. Free it, or set ${variable} to another port.`,
    )
    this.name = 'PortTakenError'
    this.port = port
  }
}

/**
 * `count` different ports of 127.0.0.1, none of them in `except`, that were free a moment ago: all are held until the
 * last one is known.
 */
export async function freePorts(count: number, except: readonly number[] = []): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count + except.length }, () => listenAnywhere()))
  const ports = servers
    .map((server) => portOf(server))
    .filter((port) => !except.includes(port))
    .slice(0, count)
  await Promise.all(servers.map((server) => close(server)))
  return ports
}

/** One port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = await listenAnywhere()
  const port = portOf(server)
  await close(server)
  return port
}

/** Whether 127.0.0.1 has this port to give right now. Throws what is no matter of being taken (EACCES below 1024). */
export async function portIsFree(port: number): Promise<boolean> {
  try {
    await close(await listen(port))
    return true
  } catch (error) {
    if (isTaken(error)) return false
    throw error
  }
}

async function listenAnywhere(): Promise<Server> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    try {
      return await listen(RANGE.first + randomInt(RANGE.count))
    } catch (error) {
      if (!isTaken(error)) throw error
    }
  }
  return listen(0)
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host: HOST, port, exclusive: true }, () => {
      resolve(server)
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve()
    })
  })
}

/** The port that a listening TCP server got. */
export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('A listening TCP server has no port.')
  return address.port
}
