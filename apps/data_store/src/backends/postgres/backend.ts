import { dataStore } from '@waybill/contracts'
import { isUndecided, recordAudit } from '@waybill/database'
import type { AuditEntry, Database, Transaction } from '@waybill/database'
import { sql } from 'kysely'
import { BULK_CHANGE_BYTES, tooManyAffected, tooMuchAffected } from '../../backend.ts'
import type { Backend, Operation } from '../../backend.ts'
import { nothingDone } from '../../refusal.ts'
import type { Tables } from '../../tables.ts'
import { createRows } from './create.ts'
import { allOf, filterSql } from './filter-sql.ts'
import { afterSql, orderSql } from './order-sql.ts'
import { COLUMNS, fromRow, ownRows } from './rows.ts'
import { searchRows } from './search.ts'

type Tx = Transaction<Tables>

/**
 * Records in Postgres. Whose they are is for row-level security, which compares every row with the claims of the transaction.
 * Queries name scope, owner and collection as well, so that each is a range of an index.
 */
export function createPostgresBackend(database: Database<Tables>): Backend {
  const reading = <T>({ principal, collection: { scope } }: Operation, work: (tx: Tx) => Promise<T>) =>
    database.withPrincipal(principal, work, { scope, readOnly: true })
  const writing = <T>({ principal, collection: { scope } }: Operation, work: (tx: Tx) => Promise<T>) =>
    database.withPrincipal(principal, work, { scope }).catch((error: unknown) => {
      // Rolled back.
      throw isUndecided(error) ? error : nothingDone(error)
    })

  return {
    auditsWrites: true,
    searchModes: ['text'],

    create: (operation, records, { onConflict }) =>
      writing(operation, async (tx) => {
        const created = await createRows(tx, operation, records, onConflict)
        const [only] = created
        const details = created.length === 1 && only ? { version: only.version } : { count: created.length }
        await recordAudit(tx, withDetails(operation, details))
        return created
      }),

    read: (operation, id) =>
      reading(operation, async (tx) => {
        const row = await tx
          .selectFrom('records')
          .select(COLUMNS)
          .where(ownRows(operation))
          .where('id', '=', id)
          .executeTakeFirst()
        return row && fromRow(row)
      }),

    find: (operation, { filter, order, after, limit }) =>
      reading(operation, async (tx) => {
        const rows = await tx
          .selectFrom('records')
          .select(COLUMNS)
          .where(ownRows(operation))
          .where(allOf([...(filter ? [filterSql(filter)] : []), ...(after ? [afterSql(order, after)] : [])]))
          .orderBy(orderSql(order))
          .limit(limit)
          .execute()
        return rows.map(fromRow)
      }),

    count: (operation, filter, mode) =>
      reading(operation, async (tx) => {
        const { count } = await tx
          .selectFrom((records) =>
            records
              .selectFrom('records')
              .select('id')
              .where(ownRows(operation))
              .where(allOf(filter ? [filterSql(filter)] : []))
              // Not what the planner expects: its statistics are of everybody's rows, and would tell of them.
              .$if(mode === 'planned', (query) => query.limit(dataStore.PLANNED_COUNT_CEILING))
              .as('found'),
          )
          .select(({ fn }) => fn.countAll<string>().as('count'))
          .executeTakeFirstOrThrow()
        return Number(count)
      }),

    update: (operation, id, change) =>
      writing(operation, async (tx) => {
        // As it is, and as it stays until the transaction ends: others who want to change it wait.
        const current = await tx
          .selectFrom('records')
          .select(COLUMNS)
          .where(ownRows(operation))
          .where('id', '=', id)
          .forUpdate()
          .executeTakeFirst()
        if (!current) return undefined
        const data = change(fromRow(current))
        const row = await tx
          .updateTable('records')
          .set({
            data: JSON.stringify(data),
            version: current.version + 1,
            updated_at: sql`clock_timestamp()`,
          })
          .where(ownRows(operation))
          .where('id', '=', id)
          .returning(COLUMNS)
          .executeTakeFirstOrThrow()
        await recordAudit(tx, withDetails(operation, { version: row.version }))
        return fromRow(row)
      }),

    updateMany: (operation, filter, change, maxAffected) =>
      writing(operation, async (tx) => {
        const locked = await lockedRows(tx, operation, filter, maxAffected)
        if (locked.reduce((sum, { bytes }) => sum + bytes, 0) > BULK_CHANGE_BYTES) tooMuchAffected()
        const rows = await tx
          .selectFrom('records')
          .select(COLUMNS)
          .where(ownRows(operation))
          .where(sql<boolean>`id = any (${locked.map(({ id }) => id)}::text[])`)
          .orderBy('id')
          .execute()
        const ids = rows.map(({ id }) => id)
        const changed = rows.map((row) => JSON.stringify(change(fromRow(row))))
        await sql`
          update records set data = changed.data, version = version + 1, updated_at = clock_timestamp()
          from unnest(${ids}::text[], ${changed}::text[]::jsonb[]) as changed (id, data)
          where ${ownRows(operation)} and records.id = changed.id`.execute(tx)
        await recordAudit(tx, withDetails(operation, { ids, count: ids.length }))
        return ids
      }),

    delete: (operation, id, permit) =>
      writing(operation, async (tx) => {
        const deleted = await tx
          .deleteFrom('records')
          .where(ownRows(operation))
          .where('id', '=', id)
          .returning('version')
          .executeTakeFirst()
        if (!deleted) return false
        // What is not permitted is rolled back.
        permit(deleted)
        await recordAudit(tx, withDetails(operation, { version: deleted.version }))
        return true
      }),

    deleteMany: (operation, filter, maxAffected) =>
      writing(operation, async (tx) => {
        const ids = (await lockedRows(tx, operation, filter, maxAffected)).map(({ id }) => id)
        await sql`delete from records where ${ownRows(operation)} and id = any (${ids}::text[])`.execute(tx)
        await recordAudit(tx, withDetails(operation, { ids, count: ids.length }))
        return ids
      }),

    search: (operation, { text, limit }) =>
      reading(operation, (tx) => searchRows(tx, operation, text, limit)),
  }
}

/**
 * What the filter lets through, locked in the order of ids: two that want the same rows wait for each other, and never in a circle.
 * Only how large they are: what is too much is refused before it is read.
 */
async function lockedRows(
  tx: Tx,
  operation: Operation,
  filter: Parameters<typeof filterSql>[0],
  maxAffected: number,
): Promise<{ id: string; bytes: number }[]> {
  const rows = await tx
    .selectFrom('records')
    .select(['id', sql<number>`octet_length(data::text)`.as('bytes')])
    .where(ownRows(operation))
    .where(filterSql(filter))
    .orderBy('id')
    .limit(maxAffected + 1)
    .forUpdate()
    .execute()
  return rows.length > maxAffected ? tooManyAffected(maxAffected) : rows
}

function withDetails({ succeeded }: Operation, details: Record<string, unknown>): AuditEntry {
  return { ...succeeded, details: { ...succeeded.details, ...details } }
}
