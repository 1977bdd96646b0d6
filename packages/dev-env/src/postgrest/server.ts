import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { guardProcess } from '../guard.ts'

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

export interface Server {
  pid: number
  signal: (name: NodeJS.Signals) => void
  stop: () => Promise<void>
}

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

/** Starts the process; resolves when it has read the schema and takes requests. Throws PostgrestStartError. */
export async function startServer({ binary, env, adminPort, folder, log }: ServerOptions): Promise<Server> {
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
  const over = new AbortController()
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      guard?.release()
      over.abort()
      resolve()
    }
    child.once('error', (error) => {
      lines.push(error.message)
      end()
    })
    child.once('close', end)
  })
  const stop = async () => {
    child.kill('SIGTERM')
    const lastResort = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(lastResort)
  }
  if (!(await isReady(`http://127.0.0.1:${adminPort}/ready`, over.signal))) {
    await stop()
    throw new PostgrestStartError(lines)
  }
  // It is ready, so it has been spawned.
  return { pid: child.pid ?? 0, signal: (name) => void child.kill(name), stop }
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
