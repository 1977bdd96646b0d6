import { AsyncLocalStorage } from 'node:async_hooks'
import { Problem } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'

/** One call, as its row says it. Plain JSON. */
export interface UsageRecord {
  id: string
  /** In milliseconds since 1970. */
  at: number
  /** Of `at`, in UTC: YYYY-MM-DD. */
  day: string
  user_id: string
  api_key_id: string | null
  provider: string
  model: string
  key_id: string | null
  operation: string
  stream: boolean
  result: 'answered' | 'cached' | 'failed' | 'aborted'
  input_tokens: number
  output_tokens: number
  cached_tokens: number
  estimated: boolean
  /** In millionths of `currency`, as text: all digits count. */
  cost_micros: string | null
  currency: string | null
  request_id: string | null
  counted_by: string
}

/** Records of usage on their way into the database: none is lost while it is away, and none waits for another's transaction. */
export interface Ledger {
  /** Takes the record; `written` is called when it is in the database, or has been given up. Never throws. */
  append(record: UsageRecord, written: () => void): void
  /** How many records are not in the database yet. */
  waiting(): number
  /** Resolves when every record taken so far is written or refused. @throws what writing threw, when the database is away */
  flush(): Promise<void>
  /** Writes what is left; what even now cannot be written goes to the log, whole. */
  close(): Promise<void>
}

export interface LedgerOptions {
  /** Writes all of them or none. The same record may come twice, when nobody knows whether the first time succeeded. */
  write: (records: readonly UsageRecord[]) => Promise<void>
  /** At least so long from the beginning of one write to that of the next, in milliseconds. */
  intervalMs: number
  log: Logger
}

/** As many records are written with one statement. */
const MOST_AT_ONCE = 1_000
/** So soon after a failure the next attempt is made, in milliseconds. */
const RETRY_MS = 500

interface Entry {
  record: UsageRecord
  written: () => void
}

export function createLedger({ write, intervalMs, log }: LedgerOptions): Ledger {
  // Records of many requests are written together: not within the time limit, nor in the trace, of one of them.
  const outsideRequests = AsyncLocalStorage.snapshot()
  let queue: Entry[] = []
  let writing: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let lastStart = -Infinity
  let failing = false
  let closed = false

  async function writeBatch(): Promise<void> {
    const batch = queue.slice(0, MOST_AT_ONCE)
    lastStart = performance.now()
    try {
      await writeOrHalve(batch)
    } catch (error) {
      // They stay where they are, and before all others.
      if (!failing) log.error({ err: error, waiting: queue.length }, 'usage cannot be written down')
      failing = true
      throw error
    }
    if (failing) log.info({ waiting: queue.length }, 'usage is written down again')
    failing = false
  }

  /** What the database refuses, rather than cannot do now, is cut in halves until the one record is found that it does not take. */
  async function writeOrHalve(entries: readonly Entry[]): Promise<void> {
    try {
      await write(entries.map(({ record }) => record))
    } catch (error) {
      if (isPassing(error)) throw error
      const [only, ...others] = entries
      if (!only) return
      if (others.length > 0) {
        const middle = entries.length >> 1
        await writeOrHalve(entries.slice(0, middle))
        await writeOrHalve(entries.slice(middle))
        return
      }
      log.error({ err: error, record: only.record }, 'a record of usage was refused by the database')
    }
    settle(entries)
  }

  function settle(entries: readonly Entry[]): void {
    const done = new Set(entries)
    queue = queue.filter((entry) => !done.has(entry))
    for (const { written } of entries) written()
  }

  const writeNext = (): Promise<void> =>
    (writing ??= outsideRequests(writeBatch).then(
      () => ended(0),
      (error: unknown) => {
        ended(RETRY_MS)
        throw error
      },
    ))

  function ended(pauseMs: number): void {
    writing = undefined
    schedule(pauseMs)
  }

  /** A failure has been logged, and the next attempt is planned. */
  const pump = () => void writeNext().catch(() => undefined)

  function schedule(atLeastMs = 0): void {
    if (queue.length === 0 || timer !== undefined || writing || closed) return
    const wait = Math.max(atLeastMs, lastStart + intervalMs - performance.now())
    if (wait <= 0) {
      pump()
      return
    }
    timer = outsideRequests(
      setTimeout,
      () => {
        timer = undefined
        pump()
      },
      wait,
    ).unref()
  }

  async function flush(): Promise<void> {
    const taken = new Set(queue)
    while (queue.some((entry) => taken.has(entry))) await writeNext()
  }

  return {
    append(record, written) {
      queue.push({ record, written })
      schedule()
    },
    waiting: () => queue.length,
    flush,
    async close() {
      closed = true
      clearTimeout(timer)
      await flush().catch(() => undefined)
      for (const { record } of queue) log.error({ record }, 'a record of usage that could not be written')
    },
  }
}

/** Whether the database could not be reached, or not in time: later it may take the very same. */
function isPassing(error: unknown): boolean {
  return error instanceof Problem && (error.code === 'unavailable' || error.code === 'timeout')
}
