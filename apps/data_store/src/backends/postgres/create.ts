import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import { taken } from '../../backend.ts'
import type { CreateOptions, NewRecord, Operation, StoredRecord } from '../../backend.ts'
import type { Tables } from '../../tables.ts'
import { COLUMNS, fromRow } from './rows.ts'
import type { Row } from './rows.ts'

/** As Backend.create. */
export async function createRows(
  tx: Transaction<Tables>,
  { collection, owner }: Operation,
  records: readonly NewRecord[],
  onConflict: CreateOptions['onConflict'],
): Promise<StoredRecord[]> {
  // In one order everywhere: two requests for the same ids then wait for each other, and never in a circle.
  const inOrder = records.toSorted((one, other) => (one.id < other.id ? -1 : 1))
  const ids = inOrder.map(({ id }) => id)
  const data = inOrder.map((record) => JSON.stringify(record.data))
  const otherwise =
    onConflict === 'error'
      ? sql`nothing`
      : sql`update set data = excluded.data, version = records.version + 1, updated_at = clock_timestamp()`
  const { rows } = await sql<Row>`
    insert into records (scope, owner, collection, id, data)
    select ${collection.scope}, ${owner}, ${collection.name}, given.id, given.data
    from unnest(${ids}::text[], ${data}::text[]::jsonb[]) with ordinality as given (id, data, place) order by place
    on conflict (scope, owner, collection, id) do ${otherwise}
    returning ${sql.join(COLUMNS.map((column) => sql.ref(`records.${column}`)))}`.execute(tx)
  const created = new Map(rows.map((row) => [row.id, fromRow(row)]))
  return records.map(({ id }) => created.get(id) ?? taken(id, collection.name))
}
