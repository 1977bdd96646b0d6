import type { Logger } from 'pino'

/** Something that trying again cannot mend: a wrong role, a broken migration. Ends the start of the service. */
export class FatalStartError extends Error {
  override readonly name = 'FatalStartError'
}

export type StartTask = (signal: AbortSignal) => Promise<void>
export type Check = () => Promise<void>

export interface ReadinessReport {
  ready: boolean
  checks: Record<string, 'ok' | 'starting' | 'failing' | 'draining'>
}

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 3_000
/** A check that takes longer counts as failing: whoever asks for readiness does not wait for ever. */
const CHECK_LIMIT_MS = 2_000

/** Whether the service can do its work now: its start tasks are done, its checks pass, and it is not on its way out. */
export class Readiness {
  readonly #checks: Record<string, Check>
  readonly #log: Logger
  #started = false
  #draining = false

  constructor(checks: Record<string, Check>, log: Logger) {
    this.#checks = checks
    this.#log = log
  }

  get started(): boolean {
    return this.#started
  }

  /**
   * Runs the start tasks in order, each again and again with growing pauses until it succeeds: neighbours may come up
   * in any order.
   * @throws FatalStartError as thrown by a task, or the abort reason of `signal`
   */
  async start(tasks: readonly StartTask[], signal: AbortSignal): Promise<void> {
    for (const task of tasks) await this.#persist(task, signal)
    this.#started = true
  }

  async #persist(task: StartTask, signal: AbortSignal): Promise<void> {
    for (let pauseMs = FIRST_RETRY_MS; ; pauseMs = Math.min(pauseMs * 2, LAST_RETRY_MS)) {
      signal.throwIfAborted()
      try {
        await task(signal)
        return
      } catch (error) {
        if (error instanceof FatalStartError) throw error
        this.#log.warn({ err: error, retry_in_ms: pauseMs }, 'not ready yet')
        await pause(pauseMs, signal)
      }
    }
  }

  drain(): void {
    this.#draining = true
  }

  async report(): Promise<ReadinessReport> {
    if (this.#draining) return { ready: false, checks: { service: 'draining' } }
    if (!this.#started) return { ready: false, checks: { service: 'starting' } }
    const results = await Promise.all(
      Object.entries(this.#checks).map(async ([name, check]) => [name, await outcome(check)] as const),
    )
    const checks = { service: 'ok', ...Object.fromEntries(results) } as const
    return { ready: results.every(([, result]) => result === 'ok'), checks }
  }
}

async function outcome(check: Check): Promise<'ok' | 'failing'> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<'failing'>((resolve) => {
    timer = setTimeout(resolve, CHECK_LIMIT_MS, 'failing')
  })
  const checked = (async () => check())().then(
    () => 'ok' as const,
    () => 'failing' as const,
  )
  return Promise.race([checked, limit]).finally(() => {
    clearTimeout(timer)
  })
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
  })
}
