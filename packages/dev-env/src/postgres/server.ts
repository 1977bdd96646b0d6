import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { guardProcess } from '../guard.ts'
import type { Binaries } from './binaries.ts'
import type { RunAs } from './run-as.ts'

export interface ServerOptions {
  binaries: Binaries
  runAs: RunAs
  folder: string
  port: number
  /** The data are thrown away at the end: nothing waits for the disk, and the folder goes with the server. */
  ephemeral: boolean
  /** What PostgreSQL prints, a line at a time. */
  log: (line: string) => void
}

export interface Server {
  pid: number
  stop: () => Promise<void>
}

const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'lc_messages=C',
  'timezone=UTC',
  'log_timezone=UTC',
  'logging_collector=off',
  'log_destination=stderr',
  'log_checkpoints=off',
  'shared_buffers=32MB',
  'max_connections=200',
  'wal_level=minimal',
  'max_wal_senders=0',
  'io_method=sync',
  'jit=off',
]

/** For clusters that end with the machine anyway. What was committed still outlives a crash of the server: the kernel has it. */
const CARELESS = ['fsync=off', 'full_page_writes=off']

const READY = 'database system is ready to accept connections'
const LAST_LINES = 12
const STOP_MS = 10_000

/** Thrown when the server ended before it was ready; `lines` are the last that it printed. */
export class PostgresStartError extends Error {
  readonly lines: readonly string[]
  constructor(lines: readonly string[]) {
    super(`PostgreSQL did not start:\n${lines.join('\n')}`)
    this.name = 'PostgresStartError'
    this.lines = lines
  }
}

/** Starts a server over an initialised folder; resolves when it takes connections. Throws PostgresStartError. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { binaries, runAs, folder, port, ephemeral, log } = options
  const settings = [...SETTINGS, ...(ephemeral ? CARELESS : [])].flatMap((setting) => ['-c', setting])
  const child = spawn(binaries.postgres, ['-D', folder, '-p', String(port), ...settings], {
    ...runAs,
    cwd: '/',
    env: { LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', 'ignore', 'pipe'],
    // A session of its own: Ctrl-C in the terminal must not end the database before the services that use it.
    detached: true,
  })
  const lines: string[] = []
  const { pid } = child
  if (pid === undefined) {
    const [error] = (await once(child, 'error')) as [Error]
    throw new PostgresStartError([error.message])
  }
  const guard = guardProcess(pid, ephemeral ? 'QUIT' : 'INT', ephemeral ? folder : '')
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      guard.release()
      resolve()
    })
  })
  const ready = new Promise<true>((resolve) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line)
      if (lines.length > LAST_LINES) lines.shift()
      log(line)
      if (line.includes(READY)) resolve(true)
    })
  })
  if (!(await Promise.race([ready, ended]))) throw new PostgresStartError(lines)
  return { pid, stop: () => stop(child, ended, ephemeral) }
}

/** SIGQUIT drops everything at once; SIGINT rolls back, disconnects and leaves the files clean. */
async function stop(child: ChildProcess, ended: Promise<void>, ephemeral: boolean): Promise<void> {
  child.kill(ephemeral ? 'SIGQUIT' : 'SIGINT')
  const lastResort = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(lastResort)
}
