import { fork } from 'node:child_process'
import type { ChildProcess, ForkOptions } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Problem } from '@waybill/service-kit'
import { ConversionError } from './convert/conversion-error.ts'
import type { Converted } from './convert/convert.ts'
import type { Job, Outcome } from './convert/protocol.ts'

const SCRIPT = fileURLToPath(new URL('./convert/worker.ts', import.meta.url))
const WATCH_EVERY_MS = 20
/** Of the memory that a worker may take: the JavaScript heap. The rest is for buffers and the program itself. */
const HEAP_SHARE = 0.75

export interface WorkerLimits {
  /** Resident memory in MiB above which the worker is ended. */
  memoryMb: number
  /** Milliseconds from the start of a job to the end of the worker. */
  timeoutMs: number
}

export interface Worker {
  readonly pid: number | undefined
  /**
   * Converts one document; one at a time.
   * @throws ConversionError for what is wrong with the document; Problem unavailable when the process could not be
   *   started; the signal's reason when aborted. After `timeout`, `out_of_memory`, `crashed` or an abort the process is
   *   gone.
   */
  convert(job: Job, signal: AbortSignal): Promise<Converted>
  readonly alive: boolean
  kill(): Promise<void>
}

/**
 * Starts a process for conversions. A process and not a thread: the limits of a thread do not cover buffers, and a heap
 * that overflows in one ends the whole service. The worker sees no environment variable, and of the file system only the
 * program (Node's permission model).
 */
export function startWorker({ memoryMb, timeoutMs }: WorkerLimits): Worker {
  const heapMb = Math.max(64, Math.floor(memoryMb * HEAP_SHARE))
  const child = forkOrRefuse({
    env: {},
    execArgv: ['--permission', ...readablePlaces(), `--max-old-space-size=${String(heapMb)}`],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const started = child.pid !== undefined
  // Without a listener an error would end the service. Those of a process that did start end in its exit or its clock.
  const failed = new Promise<Error>((resolve) => child.on('error', resolve))
  const exited = started ? new Promise((resolve) => child.once('exit', resolve)) : failed
  const isAlive = () => started && child.exitCode === null && child.signalCode === null && child.connected
  return {
    pid: child.pid,
    get alive() {
      return isAlive()
    },
    async convert(job, signal) {
      if (!started) throw notStarted(await failed)
      return runJob(child, job, { signal, timeoutMs, memoryMb })
    },
    async kill() {
      if (started && child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await exited
    },
  }
}

/** Most failures to start come as an event; a few, want of memory among them, are thrown. */
function forkOrRefuse(options: ForkOptions): ChildProcess {
  try {
    return fork(SCRIPT, [], options)
  } catch (error) {
    throw notStarted(error)
  }
}

function notStarted(cause: unknown) {
  return new Problem(
    'unavailable',
    'No process for the conversion can be started at the moment. Try again.',
    {
      headers: { 'Retry-After': '2' },
      cause,
    },
  )
}

function runJob(
  child: ChildProcess,
  job: Job,
  limits: WorkerLimits & { signal: AbortSignal },
): Promise<Converted> {
  const { signal, timeoutMs, memoryMb } = limits
  return new Promise((resolve, reject) => {
    let reason: unknown
    const end = (why: unknown) => {
      reason ??= why
      child.kill('SIGKILL')
    }
    const onAbort = () => end(signal.reason)
    const onMessage = (outcome: Outcome) => {
      settle()
      if (outcome.ok) resolve(outcome.converted)
      else reject(new ConversionError(outcome.failure, outcome.message))
    }
    const onExit = (_code: number | null, killedBy: NodeJS.Signals | null) => {
      settle()
      reject(asError(reason ?? (killedBy === 'SIGABRT' ? outOfMemory(memoryMb) : crashed())))
    }
    const clock = setTimeout(() => end(outOfTime(timeoutMs)), timeoutMs)
    const watch = setInterval(() => {
      if (residentMb(child.pid) > memoryMb) end(outOfMemory(memoryMb))
    }, WATCH_EVERY_MS)
    const settle = () => {
      clearTimeout(clock)
      clearInterval(watch)
      signal.removeEventListener('abort', onAbort)
      child.off('message', onMessage).off('exit', onExit)
    }
    child.on('message', onMessage).once('exit', onExit)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    else child.send(job, (error) => error && end(crashed()))
  })
}

/** Resident memory of a process in MiB; 0 where there is no /proc, and then the heap limit and the clock remain. */
function residentMb(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${String(pid)}/status`, 'latin1')
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}

/** This package and every node_modules folder that an import from it may resolve into. */
function readablePlaces(): string[] {
  const places = [dirname(dirname(dirname(SCRIPT)))]
  for (let folder = dirname(SCRIPT); ; folder = dirname(folder)) {
    const modules = join(folder, 'node_modules')
    if (existsSync(modules)) places.push(realpathSync(modules))
    if (folder === dirname(folder)) return places.map((place) => `--allow-fs-read=${place}`)
  }
}

function outOfTime(timeoutMs: number) {
  return new ConversionError('timeout', `was not converted within ${String(timeoutMs)} ms`)
}

function outOfMemory(memoryMb: number) {
  return new ConversionError(
    'out_of_memory',
    `needs more than ${String(memoryMb)} MiB of memory to be converted`,
  )
}

function crashed() {
  return new ConversionError('crashed', 'cannot be read: the converter failed on it')
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('The conversion was given up.', { cause: reason })
}
