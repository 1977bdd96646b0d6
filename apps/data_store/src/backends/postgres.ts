import { recordAudit } from '@waybill/database'
import type { Database, Transaction } from '@waybill/database'
import { sql } from 'kysely'
import { taken } from '../backend.ts'
import type { Backend, StoredRecord } from '../backend.ts'
import type { Tables } from '../tables.ts'

const COLUMNS = ['id', 'data', 'version', 'owner', 'created_at', 'updated_at'] as const

/**
 * Records in Postgres. No query here names an owner: row-level security compares every row with the claims of the
 * transaction, and the column's default writes them.
 */
export function createPostgresBackend(database: Database<Tables>): Backend {
  return {
    auditsWrites: true,

    async create({ principal, collection, succeeded }, records) {
      const values = records.map(({ id, data }) => ({ collection, id, data: JSON.stringify(data) }))
      // In one order everywhere: two requests for the same ids then wait for each other, and never in a circle.
      values.sort((one, other) => (one.id < other.id ? -1 : 1))
      return database.withPrincipal(principal, async (tx) => {
        const rows = await tx
          .insertInto('records')
          .values(values)
          .onConflict((conflict) => conflict.columns(['owner', 'collection', 'id']).doNothing())
          .returning(COLUMNS)
          .execute()
        const created = new Map(rows.map((row) => [row.id, fromRow(row)]))
        const inOrder = records.map(({ id }) => created.get(id) ?? taken(id, collection))
        await recordAudit(tx, succeeded)
        return inOrder
      })
    },

    async read({ principal, collection }, id) {
      const row = await database.withPrincipal(
        principal,
        (tx) =>
          tx
            .selectFrom('records')
            .select(COLUMNS)
            .where('collection', '=', collection)
            .where('id', '=', id)
            .executeTakeFirst(),
        { readOnly: true },
      )
      return row && fromRow(row)
    },

    async list({ principal, collection }, { limit, after }) {
      const rows = await database.withPrincipal(
        principal,
        (tx) =>
          tx
            .selectFrom('records')
            .select(COLUMNS)
            .where('collection', '=', collection)
            .$if(after !== undefined, (query) => query.where('id', '>', after ?? ''))
            .orderBy('id')
            .limit(limit)
            .execute(),
        { readOnly: true },
      )
      return rows.map(fromRow)
    },

    async update({ principal, collection, succeeded }, id, change) {
      return database.withPrincipal(principal, async (tx) => {
        const current = await locked(tx, collection, id)
        if (!current) return undefined
        const data = change(fromRow(current))
        const row = await tx
          .updateTable('records')
          .set({
            data: JSON.stringify(data),
            version: current.version + 1,
            updated_at: sql`clock_timestamp()`,
          })
          .where('collection', '=', collection)
          .where('id', '=', id)
          .returning(COLUMNS)
          .executeTakeFirstOrThrow()
        await recordAudit(tx, succeeded)
        return fromRow(row)
      })
    },

    async delete({ principal, collection, succeeded }, id, permit) {
      return database.withPrincipal(principal, async (tx) => {
        const deleted = await tx
          .deleteFrom('records')
          .where('collection', '=', collection)
          .where('id', '=', id)
          .returning('version')
          .executeTakeFirst()
        if (!deleted) return false
        // What is not permitted is rolled back.
        permit(deleted)
        await recordAudit(tx, succeeded)
        return true
      })
    },
  }
}

/** The record as it is, and as it stays until the transaction ends: others who want to change it wait. */
function locked(tx: Transaction<Tables>, collection: string, id: string): Promise<Row | undefined> {
  return tx
    .selectFrom('records')
    .select(COLUMNS)
    .where('collection', '=', collection)
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
}

type Row = Omit<StoredRecord, 'created_at' | 'updated_at'> & { created_at: Date; updated_at: Date }

function fromRow(row: Row): StoredRecord {
  return { ...row, created_at: row.created_at.toISOString(), updated_at: row.updated_at.toISOString() }
}
