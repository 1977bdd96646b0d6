import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import type { Operation, StoredRecord } from '../../backend.ts'
import type { Tables } from '../../tables.ts'
import { COLUMNS, fromRow, ownRows } from './rows.ts'

/**
 * The records in which the words of `text` are, the best first: all words, `or` between alternatives, "in quotes" a phrase, - before
 * what must not be there. Words count as they are written, in whatever language, but for their case.
 */
export async function searchRows(
  tx: Transaction<Tables>,
  operation: Operation,
  text: string | undefined,
  limit: number,
): Promise<(StoredRecord & { score: number })[]> {
  // No record holds a NUL, and Postgres takes none: it parts words like any other mark.
  const query = sql`websearch_to_tsquery('simple', ${(text ?? '').replaceAll('\0', ' ')})`
  const rows = await tx
    .selectFrom('records')
    .select(COLUMNS)
    .select(sql<number>`ts_rank(words, ${query})`.as('score'))
    .where(ownRows(operation))
    .where(sql<boolean>`words @@ ${query}`)
    .orderBy('score', 'desc')
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map(({ score, ...row }) => ({ ...fromRow(row), score }))
}
