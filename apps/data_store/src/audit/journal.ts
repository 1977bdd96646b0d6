import { describeAudit, writeAudit } from '@waybill/database'
import type { AuditEntry, AuditRow, Database } from '@waybill/database'
import { outliveRequest, Problem } from '@waybill/service-kit'
import type { Denial, Logger } from '@waybill/service-kit'
import { createAuditBatch } from './batch.ts'
import type { Backend, Operation, StoredRecord } from '../backend.ts'
import { createOpenIntents } from './open-intents.ts'
import { didNothing, nothingDone } from '../refusal.ts'
import type { Tables } from '../tables.ts'

/** The audit of what is done to records: each operation leaves a row. */
export interface Journal {
  /**
   * A write, which is not answered before its row is there. Where the backend cannot audit it in its own transaction, an
   * `intent` goes before it and its outcome after it, so that a crash in between leaves the intent behind. There a failure of
   * which didNothing() does not hold, a lost answer say, has the code `unknown`: the store may have done it.
   */
  write<T extends Result>(backend: Backend, operation: Operation, work: () => Promise<T>): Promise<T>
  /**
   * A read, whose row is written a little later, with those of others. `found` says what goes into its details.
   * @throws Problem `unavailable` rather than answer what cannot be audited
   */
  read<T>(operation: Operation, work: () => Promise<T>, found: (result: T) => Details): Promise<T>
  /** Leaves a row that says that the operation was denied, and throws `problem`. */
  refused(operation: Operation, problem: Problem): Promise<never>
  /** A request that was answered 403; leaves a row unless there is one of the operation. */
  denied(denial: Denial): Promise<void>
  /** Resolves when the rows of all reads so far are written. */
  flush(): Promise<void>
  /** Closes the intents that a crash has left behind, now and from time to time. */
  start(): Promise<void>
  close(): Promise<void>
}

/** What comes of a write: records, ids, or nothing. */
type Result = StoredRecord | readonly StoredRecord[] | readonly string[] | null

type Details = NonNullable<AuditEntry['details']>

interface JournalOptions {
  database: Database<Tables>
  /** The longest that the row of a read waits, in milliseconds. */
  batchMs: number
  /** How many rows may wait. */
  bufferSize: number
  /** An intent that is open for so long was interrupted, in milliseconds. */
  interruptedAfterMs: number
  log: Logger
}

/** How long writing a row may take after the client has stopped waiting, in milliseconds: what has been done is audited. */
const FINISHING_MS = 10_000

export function createJournal({ database, log, ...options }: JournalOptions): Journal {
  const write = (rows: readonly AuditRow[]) => database.withoutPrincipal((tx) => writeAudit(tx, rows))
  const batch = createAuditBatch({ write, batchMs: options.batchMs, capacity: options.bufferSize, log })
  const intents = createOpenIntents(database)
  const audited = new WeakSet<Error>()
  let settling: NodeJS.Timeout | undefined

  /** What became of an operation that has thrown `error`. */
  function rowOfFailure({ principal, succeeded }: Operation, error: unknown, more: Details = {}): AuditRow {
    if (error instanceof Problem) audited.add(error)
    const outcome = error instanceof Problem && error.status === 403 ? 'denied' : 'failure'
    const details = { ...succeeded.details, ...reasonOf(error), ...more }
    return describeAudit({ ...succeeded, principal, outcome, details })
  }

  /** Writes at once; a row for which there is no database now is not lost, but late. */
  async function writeNow(row: AuditRow): Promise<void> {
    await outliveRequest(FINISHING_MS, () => write([row])).catch(() => batch.append(row))
  }

  const close = (intent: string, row: AuditRow) =>
    outliveRequest(FINISHING_MS, () => intents.close(intent, row))

  async function settle(): Promise<void> {
    const count = await intents.settle(options.interruptedAfterMs)
    if (count > 0) log.warn({ count }, 'writes were interrupted; the audit says which')
  }

  return {
    async write(backend, operation, work) {
      const { principal, succeeded } = operation
      if (backend.auditsWrites) {
        try {
          return await work()
        } catch (error) {
          await writeNow(rowOfFailure(operation, error)).catch((reason: unknown) => {
            log.error({ err: reason, action: succeeded.action }, 'a failure could not be audited')
          })
          throw error
        }
      }
      const intended = describeAudit({ ...succeeded, principal, outcome: 'intent' })
      const intent = await intents.open(intended).catch((error: unknown) => {
        throw nothingDone(error)
      })
      const result = await work().catch(async (error: unknown) => {
        const known = didNothing(error) ? {} : { code: 'unknown', cause: reasonOf(error).code }
        await close(intent, rowOfFailure(operation, error, known)).catch((reason: unknown) => {
          log.error({ err: reason, action: succeeded.action }, 'an intent is left open')
        })
        throw error
      })
      const details = { ...succeeded.details, ...detailsOf(result) }
      await close(intent, describeAudit({ ...succeeded, principal, details }))
      return result
    },
    async read(operation, work, found) {
      const { principal, succeeded } = operation
      const result = await work().catch(async (error: unknown) => {
        await batch.append(rowOfFailure(operation, error))
        throw error
      })
      const details = { ...succeeded.details, ...found(result) }
      await batch.append(describeAudit({ ...succeeded, principal, details }))
      return result
    },
    async refused(operation, problem) {
      await writeNow(rowOfFailure(operation, problem))
      throw problem
    },
    async denied({ route: { method, path }, principal, problem }) {
      if (audited.has(problem)) return
      // The route and not the path, which holds whatever was sent.
      const entry = {
        action: 'access.denied',
        resource: `route/${method} ${path}`,
        outcome: 'denied',
      } as const
      await writeNow(describeAudit({ ...entry, principal, details: reasonOf(problem) }))
    },
    flush: () => batch.flush(),
    async start() {
      await settle()
      settling ??= setInterval(() => {
        void settle().catch((error: unknown) => {
          log.warn({ err: error }, 'open intents could not be looked at')
        })
      }, options.interruptedAfterMs).unref()
    },
    async close() {
      clearInterval(settling)
      await batch.close()
    },
  }
}

/** The version of one record, how many there are of several, and ids where they were not known before. */
function detailsOf(result: Result): Details {
  if (result === null) return {}
  if (!('length' in result)) return { version: result.version }
  const [first] = result
  if (typeof first !== 'object') return { ids: result, count: result.length }
  return result.length === 1 ? { version: first.version } : { count: result.length }
}

/** The code of a problem and the permission that was missing; not its text, which may quote what was sent. */
function reasonOf(error: unknown): Details {
  if (!(error instanceof Problem)) return { code: 'internal' }
  const { permission } = error.extensions
  return { code: error.code, ...(permission !== undefined && { permission }) }
}
