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
    const checks: ReadinessReport['checks'] = { service: 'ok' }
    for (const [name, check] of Object.entries(this.#checks)) {
      checks[name] = await check().then(
        () => 'ok',
        () => 'failing',
      )
    }
    return { ready: !Object.values(checks).includes('failing'), checks }
  }
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
