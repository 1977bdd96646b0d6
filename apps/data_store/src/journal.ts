import { recordAudit } from '@waybill/database'
import type { AuditEntry, Database } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import type { Backend, Operation } from './backend.ts'
import type { Tables } from './tables.ts'

/** The audit of what is done to records: each operation leaves a row, and is not answered before it is there. */
export interface Journal {
  /**
   * A write. Where the backend cannot audit it in its own transaction, an `intent` goes before it and its outcome after it, so
   * that a crash in between leaves the intent behind.
   */
  write<T>(backend: Backend, operation: Operation, work: () => Promise<T>): Promise<T>
  /** A read. `found` says what goes into the details of the row. */
  read<T>(
    operation: Operation,
    work: () => Promise<T>,
    found: (result: T) => AuditEntry['details'],
  ): Promise<T>
}

export function createJournal(database: Database<Tables>, log: Logger): Journal {
  const append = ({ principal }: Operation, entry: AuditEntry): Promise<void> =>
    database.withPrincipal(principal, (tx) => recordAudit(tx, entry))

  async function orFailure<T>(operation: Operation, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const code = error instanceof Problem ? error.code : 'internal'
      const details = { ...operation.succeeded.details, code }
      const entry: AuditEntry = { ...operation.succeeded, outcome: 'failure', details }
      await append(operation, entry).catch((reason: unknown) => {
        log.error({ err: reason, action: entry.action }, 'a failure could not be audited')
      })
      throw error
    }
  }

  return {
    async write(backend, operation, work) {
      if (backend.auditsWrites) return orFailure(operation, work)
      await append(operation, { ...operation.succeeded, outcome: 'intent' })
      const result = await orFailure(operation, work)
      await append(operation, operation.succeeded)
      return result
    },
    async read(operation, work, found) {
      const result = await orFailure(operation, work)
      await append(operation, { ...operation.succeeded, details: found(result) ?? {} })
      return result
    },
  }
}
