import { AsyncLocalStorage } from 'node:async_hooks'
import type { AuditRow } from '@waybill/database'
import { unavailable } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'

/** Rows of the audit that are written together, a little after what they say has happened. */
export interface AuditBatch {
  /**
   * Takes the row, which is written within `batchMs`; resolves when it is taken. At 0 it resolves when the row is written.
   * @throws Problem `unavailable` when there is no room for it and the rows before it cannot be written either
   */
  append(row: AuditRow): Promise<void>
  /** Resolves when every row that was taken is written. @throws Problem `unavailable` */
  flush(): Promise<void>
  /** Writes what is left; rows that even now cannot be written go to the log, whole. */
  close(): Promise<void>
}

interface AuditBatchOptions {
  write: (rows: readonly AuditRow[]) => Promise<void>
  /** The longest that a row waits, in milliseconds. */
  batchMs: number
  /** How many rows may wait. */
  capacity: number
  log: Logger
}

/** As many rows are written with one statement; when so many wait, none waits longer. */
const MOST_AT_ONCE = 500

/** So soon after a failure the next attempt is made, in milliseconds. */
const RETRY_MS = 500

export function createAuditBatch({ write, batchMs, capacity, log }: AuditBatchOptions): AuditBatch {
  // Rows of many requests are written together: not within the time limit, nor in the trace, of one of them.
  const outsideRequests = AsyncLocalStorage.snapshot()
  const waiting: AuditRow[] = []
  let taken = 0
  let written = 0
  let writing: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  async function writeSome(): Promise<void> {
    const rows = waiting.slice(0, MOST_AT_ONCE)
    try {
      await write(rows)
    } catch (error) {
      // They stay where they are, and before all others.
      log.error({ err: error, waiting: waiting.length }, 'rows of the audit could not be written')
      schedule(RETRY_MS)
      throw unavailable('The audit', { cause: error })
    }
    waiting.splice(0, rows.length)
    written += rows.length
  }

  const writeNext = (): Promise<void> =>
    (writing ??= outsideRequests(writeSome).finally(() => (writing = undefined)))

  async function writeUpTo(row: number): Promise<void> {
    while (written < row) await writeNext()
  }

  const flush = (): Promise<void> => writeUpTo(taken)

  function schedule(ms: number): void {
    timer ??= outsideRequests(
      setTimeout,
      () => {
        timer = undefined
        // A failure has been logged, and the next attempt is planned.
        void flush().catch(() => undefined)
      },
      ms,
    ).unref()
  }

  return {
    flush,
    async append(row) {
      while (waiting.length >= capacity) await writeNext()
      waiting.push(row)
      taken += 1
      if (batchMs === 0) await writeUpTo(taken)
      else if (waiting.length >= MOST_AT_ONCE) void flush().catch(() => undefined)
      else schedule(batchMs)
    },
    async close() {
      await flush().catch(() => undefined)
      clearTimeout(timer)
      for (const row of waiting) log.error({ row }, 'a row of the audit that could not be written')
    },
  }
}
