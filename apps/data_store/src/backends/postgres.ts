import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
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

    async delete({ principal, collection, succeeded }, id) {
      return database.withPrincipal(principal, async (tx) => {
        const { numDeletedRows } = await tx
          .deleteFrom('records')
          .where('collection', '=', collection)
          .where('id', '=', id)
          .executeTakeFirstOrThrow()
        if (numDeletedRows === 0n) return false
        await recordAudit(tx, succeeded)
        return true
      })
    },
  }
}

type Row = Omit<StoredRecord, 'created_at' | 'updated_at'> & { created_at: Date; updated_at: Date }

function fromRow(row: Row): StoredRecord {
  return { ...row, created_at: row.created_at.toISOString(), updated_at: row.updated_at.toISOString() }
}
