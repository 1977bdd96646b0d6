import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { guardProcess } from '../guard.ts'
import type { Ended, ServiceProcess } from '../platform/service-process.ts'

export interface ServerOptions {
  binary: string
  /** Its settings; it inherits nothing. */
  env: Record<string, string>
  /** Where it says whether it is ready. */
  adminPort: number
  /** Goes with the process when this one is killed. */
  folder: string
  log?: ((line: string) => void) | undefined
}

/** The process, whether it is ready or not. */
export type Server = ServiceProcess

const READY_MS = 20_000
const POLL_MS = 20
const STOP_MS = 5_000
const LAST_LINES = 12

/** Thrown when PostgREST ended before it was ready, or was not ready in time; the message has the last that it printed. */
export class PostgrestStartError extends Error {
  constructor(lines: readonly string[]) {
    super(`PostgREST did not start:\n${lines.join('\n')}`)
    this.name = 'PostgrestStartError'
  }
}

/** Starts the process. */
export function spawnServer({ binary, env, folder, log }: ServerOptions): Server {
  const child = spawn(binary, [], { env, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const lines: string[] = []
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (line) => {
      lines.push(line)
      if (lines.length > LAST_LINES) lines.shift()
      log?.(line)
    })
  }
  const guard = child.pid === undefined ? undefined : guardProcess(child.pid, 'TERM', folder)
  const ended = new Promise<Ended>((resolve) => {
    child.once('error', (error) => {
      lines.push(error.message)
      resolve({ code: null, signal: null, lines })
    })
    child.once('close', (code, signal) => {
      guard?.release()
      resolve({ code, signal, lines })
    })
  })
  return { pid: child.pid, kill: (signal) => void child.kill(signal), ended }
}

/** As spawnServer; resolves when it has read the schema and takes requests. Throws PostgrestStartError. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const server = spawnServer(options)
  const over = new AbortController()
  void server.ended.then(() => {
    over.abort()
  })
  if (!(await isReady(`http://127.0.0.1:${options.adminPort}/ready`, over.signal))) {
    await stopServer(server)
    throw new PostgrestStartError((await server.ended).lines)
  }
  return server
}

/** Ends the process: SIGTERM, and SIGKILL when that has not done it in time. */
export async function stopServer({ kill, ended }: Server): Promise<void> {
  kill('SIGTERM')
  const lastResort = setTimeout(kill, STOP_MS, 'SIGKILL')
  await ended
  clearTimeout(lastResort)
}

async function isReady(url: string, over: AbortSignal): Promise<boolean> {
  const givenUp = AbortSignal.any([over, AbortSignal.timeout(READY_MS)])
  while (!givenUp.aborted) {
    try {
      if ((await fetch(url, { signal: givenUp })).status === 200) return true
    } catch {
      // Nobody listens yet.
    }
    await delay(POLL_MS)
  }
  return false
}
