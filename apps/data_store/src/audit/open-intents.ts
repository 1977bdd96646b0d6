import { randomUUID } from 'node:crypto'
import { writeAudit } from '@waybill/database'
import type { AuditRow, Database } from '@waybill/database'
import { sql } from 'kysely'
import type { Tables } from '../tables.ts'

/** Writes to stores that have no part in our transactions: said before, and closed by how they ended. */
export interface OpenIntents {
  /** Appends `row`, an intent, to the audit, and keeps it open; gives back what `close` is to be called with. */
  open(row: AuditRow): Promise<string>
  /** Appends `row`, the outcome, to the audit, unless `settle` has closed the intent already. */
  close(intent: string, row: AuditRow): Promise<void>
  /**
   * Closes the intents that have been open for `afterMs`, so that whoever made them was interrupted, with a row of outcome
   * `failure` and code `interrupted`: whether the store did the work is not known. How many there were.
   */
  settle(afterMs: number): Promise<number>
}

export function createOpenIntents(database: Database<Tables>): OpenIntents {
  return {
    async open(row) {
      const id = randomUUID()
      await database.withoutPrincipal(async (tx) => {
        await writeAudit(tx, [{ ...row, details: { ...row.details, intent: id } }])
        await tx
          .insertInto('open_intents')
          .values({ id, row: JSON.stringify(row) })
          .execute()
      })
      return id
    },

    close: (intent, row) =>
      database.withoutPrincipal(async (tx) => {
        const { numDeletedRows } = await tx
          .deleteFrom('open_intents')
          .where('id', '=', intent)
          .executeTakeFirst()
        if (numDeletedRows > 0n) await writeAudit(tx, [closing(intent, row)])
      }),

    settle: (afterMs) =>
      database.withoutPrincipal(async (tx) => {
        const interrupted = await tx
          .deleteFrom('open_intents')
          .where('at', '<', sql<Date>`clock_timestamp() - make_interval(secs => ${afterMs / 1_000})`)
          .returning(['id', 'row'])
          .execute()
        if (interrupted.length === 0) return 0
        const at = new Date().toISOString()
        const rows = interrupted.map(({ id, row }): AuditRow => {
          const details = { ...row.details, code: 'interrupted' }
          return closing(id, { ...row, at, outcome: 'failure', details })
        })
        await writeAudit(tx, rows)
        return interrupted.length
      }),
  }
}

/** The outcome says which intent it belongs to. */
function closing(intent: string, row: AuditRow): AuditRow {
  return { ...row, details: { ...row.details, intent } }
}
