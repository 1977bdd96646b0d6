import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { guardProcess } from '../guard.ts'
import type { Environment } from '../service-environment.ts'

export interface ServiceCommand {
  /** Arguments of node. */
  args: readonly string[]
  cwd: string
  env: Environment
  /** What the process prints, a line at a time. */
  log: (line: string) => void
}

export interface ServiceProcess {
  pid: number | undefined
  kill: (signal: NodeJS.Signals) => void
  /** Resolves when the process has ended and all that it printed has been read. */
  ended: Promise<Ended>
}

/** `lines` are the last that it printed: of stderr if there are any, else of stdout. */
export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  lines: readonly string[]
}

const LAST_LINES = 30

/** Starts one service as a process of its own session; it never outlives this process (see guardProcess). */
export function startServiceProcess({ args, cwd, env, log }: ServiceCommand): ServiceProcess {
  // Ctrl-C in the terminal reaches this process only, which then ends the others in order.
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const guard = child.pid === undefined ? undefined : guardProcess(child.pid, 'TERM')
  const printed = lastLines(child.stdout, log)
  const complaints = lastLines(child.stderr, log)
  const ended = new Promise<Ended>((resolve) => {
    child.once('error', (error) => {
      resolve({ code: null, signal: null, lines: [error.message] })
    })
    child.once('close', (code, signal) => {
      guard?.release()
      resolve({ code, signal, lines: complaints.length > 0 ? complaints : printed })
    })
  })
  return { pid: child.pid, kill: (signal) => void child.kill(signal), ended }
}

function lastLines(input: NodeJS.ReadableStream, log: (line: string) => void): readonly string[] {
  const lines: string[] = []
  createInterface({ input }).on('line', (line) => {
    lines.push(line)
    if (lines.length > LAST_LINES) lines.shift()
    log(line)
  })
  return lines
}
