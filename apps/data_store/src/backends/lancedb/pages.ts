import type { Place } from './place.ts'
import type { Predicate } from './predicate.ts'
import { columnsFor, fromRow } from './row.ts'
import type { FoundRecord } from './row.ts'

export interface PagesOptions {
  predicate: Predicate
  /** Whether `data` is read; else it is empty. */
  withData?: boolean
  /** Whether the vectors are read as well. */
  withVector?: boolean
  descending?: boolean
  /** Where to begin: ids that come after this one in that order. */
  after?: string | undefined
  /** How many records the first batch has at most. */
  first?: number
}

/** How many rows are read at first, when nobody knows how large they are. */
export const FIRST = 64
const MOST = 1_024
/** About how much a batch is to have, in characters. */
const BATCH = 2 ** 22

/**
 * The owner's records that a predicate lets through, by id. In batches each of which is a query of its own: LanceDB's streams
 * read far ahead, whatever their reader does.
 */
export async function* pages(
  { operation, table, dimensions, where }: Place,
  { predicate, withData = true, withVector = false, descending = false, after, first = FIRST }: PagesOptions,
): AsyncGenerator<FoundRecord[], void, undefined> {
  let size = first
  let last = after
  for (;;) {
    const next: Predicate[] =
      last === undefined ? [] : [{ column: 'id', operator: descending ? '<' : '>', value: last }]
    const rows = (await table
      .query()
      .where(where(predicate, ...next))
      .orderBy({ columnName: 'id', ascending: !descending })
      .limit(size)
      .select(columnsFor({ data: withData, vector: withVector && dimensions > 0 }))
      .toArray()) as { data?: string }[] // the columns that were asked for
    const batch = rows.map((row) => fromRow(row, operation))
    if (batch.length > 0) yield batch
    if (batch.length < size) return
    last = batch.at(-1)?.id
    size = nextSize(rows.map(({ data = '' }) => data))
  }
}

/** How many rows a batch may have, if the next ones are as large as these. */
export function nextSize(texts: readonly string[]): number {
  const average = texts.reduce((sum, { length }) => sum + length, 0) / Math.max(1, texts.length)
  return Math.max(1, Math.min(MOST, Math.floor(BATCH / average)))
}
