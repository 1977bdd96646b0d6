import type { Ended, ServiceProcess } from './service-process.ts'

export interface Supervised {
  pid: () => number | undefined
  /** Sends a signal to the process that runs now, if one does. */
  kill: (signal: NodeJS.Signals) => void
  /** From now on an end is an accident: the process is started again, and no longer rejects `failed`. */
  keepRunning: () => void
  /** Resolves with how the process ended when it did so before keepRunning() or close(). */
  failed: Promise<Ended>
  /** Ends the process: SIGTERM, and SIGKILL when that has not done it in time. */
  close: () => Promise<void>
}

export interface SupervisorOptions {
  start: () => ServiceProcess
  log: (line: string) => void
  /** Milliseconds before the first restart; doubled at each one that follows soon. */
  backOffMs?: number
  /** Milliseconds between SIGTERM and SIGKILL. */
  graceMs?: number
}

const LONGEST_BACK_OFF_MS = 30_000

/** Who has run this long has recovered: its next restart waits as little as the first. */
const RECOVERED_MS = 60_000

/** Runs one process and, once told to, starts it again whenever it ends; it alone, whatever the others do. */
export function supervise({ start, log, backOffMs = 1_000, graceMs = 8_000 }: SupervisorOptions): Supervised {
  const { promise: failed, resolve: fail } = Promise.withResolvers<Ended>()
  let state: 'starting' | 'kept' | 'closing' = 'starting'
  let running: ServiceProcess | undefined
  let restart: NodeJS.Timeout | undefined
  let wait = backOffMs

  const launch = () => {
    const startedAt = performance.now()
    const current = start()
    running = current
    void current.ended.then((ended) => {
      running = undefined
      if (state === 'starting') fail(ended)
      if (state !== 'kept') return
      if (performance.now() - startedAt > RECOVERED_MS) wait = backOffMs
      log(`ended ${describeEnd(ended)}; starting it again in ${wait} ms`)
      restart = setTimeout(launch, wait)
      wait = Math.min(wait * 2, LONGEST_BACK_OFF_MS)
    })
  }
  launch()

  return {
    pid: () => running?.pid,
    kill: (signal) => running?.kill(signal),
    keepRunning: () => (state = 'kept'),
    failed,
    close: async () => {
      state = 'closing'
      clearTimeout(restart)
      if (!running) return
      const { ended, kill } = running
      kill('SIGTERM')
      const lastResort = setTimeout(kill, graceMs, 'SIGKILL')
      await ended
      clearTimeout(lastResort)
    },
  }
}

/** How a process ended, as the end of a sentence: `with code 1`, `by SIGKILL`. */
export function describeEnd({ code, signal }: Ended): string {
  return signal === null ? `with code ${code ?? 'unknown'}` : `by ${signal}`
}
