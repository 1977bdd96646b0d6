import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { Place } from './cursor.ts'
import type { Tables } from './tables.ts'

// Which rows there are to a query, row-level security decides. Those that read baskets name their reader all the same,
// since the policies are alternatives, and no index serves alternatives.

type Tx = Transaction<Tables>
export type BasketRow = Selectable<Tables['baskets']>
export type DumpRow = Selectable<Tables['raw_dumps']>

/** The workspace whose baskets are read, or the one who made them. */
export interface Reader {
  column: 'workspace_id' | 'created_by'
  value: string
}

export interface NewBasket {
  id?: string | undefined
  name: string
  metadata: Record<string, unknown>
}

export interface PageRequest {
  /** How many rows at most. */
  limit: number
  after?: Place | undefined
}

/** The new row, or undefined when the workspace has a basket with that id already. */
export async function insertBasket(
  tx: Tx,
  { id, name, metadata }: NewBasket,
): Promise<BasketRow | undefined> {
  return tx
    .insertInto('baskets')
    .values({ name, metadata, ...(id !== undefined && { id }) })
    .onConflict((conflict) => conflict.columns(['workspace_id', 'id']).doNothing())
    .returningAll()
    .executeTakeFirst()
}

/** The basket with that id if it is the one described: made by the same subject, with the same name and metadata. */
export async function findSameBasket(tx: Tx, wanted: NewBasket & { id: string; createdBy: string }) {
  return tx
    .selectFrom('baskets')
    .selectAll()
    .where('id', '=', wanted.id)
    .where('name', '=', wanted.name)
    .where('created_by', '=', wanted.createdBy)
    .where(sql<boolean>`metadata = ${JSON.stringify(wanted.metadata)}::jsonb`)
    .executeTakeFirst()
}

/** An id is unique within its workspace only: of several that one user made, the newest. */
export async function findBasket(tx: Tx, reader: Reader, id: string): Promise<BasketRow | undefined> {
  return tx
    .selectFrom('baskets')
    .selectAll()
    .where(reader.column, '=', reader.value)
    .where('id', '=', id)
    .orderBy('created_at', 'desc')
    .executeTakeFirst()
}

export async function findBaskets(tx: Tx, reader: Reader, ids: readonly string[]): Promise<BasketRow[]> {
  return tx
    .selectFrom('baskets')
    .selectAll()
    .where(reader.column, '=', reader.value)
    .where('id', 'in', ids)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute()
}

export async function newestBaskets(
  tx: Tx,
  reader: Reader,
  { limit, after }: PageRequest,
): Promise<BasketRow[]> {
  return tx
    .selectFrom('baskets')
    .selectAll()
    .where(reader.column, '=', reader.value)
    .$if(after !== undefined, (query) => query.where(isBefore(after)))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
}

/** Whether there was such a basket. Its dumps go with it. */
export async function deleteBasket(tx: Tx, id: string): Promise<boolean> {
  const { numDeletedRows } = await tx.deleteFrom('baskets').where('id', '=', id).executeTakeFirstOrThrow()
  return numDeletedRows > 0n
}

export async function insertDump(
  tx: Tx,
  dump: { basket_id: string; content: string; source: string | null },
): Promise<DumpRow> {
  return tx.insertInto('raw_dumps').values(dump).returningAll().executeTakeFirstOrThrow()
}

export async function newestDumps(
  tx: Tx,
  basketId: string,
  { limit, after }: PageRequest,
): Promise<DumpRow[]> {
  return tx
    .selectFrom('raw_dumps')
    .selectAll()
    .where('basket_id', '=', basketId)
    .$if(after !== undefined, (query) => query.where(isBefore(after)))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
}

/** True when an insert failed because the basket is not there (SQLSTATE 23503, foreign key violation). */
export function isMissingBasket(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '23503'
}

function isBefore(place: Place | undefined) {
  return sql<boolean>`(created_at, id) < (${place?.created_at}, ${place?.id}::uuid)`
}
