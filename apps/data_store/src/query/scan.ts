import type { dataStore } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import { BULK_CHANGE_BYTES, tooManyAffected, tooMuchAffected } from '../backend.ts'
import type { StoredRecord } from '../backend.ts'
import { comparePositions, matches, positionOf } from './evaluate.ts'
import type { Position, Query } from './query.ts'

/**
 * Queries for stores that cannot filter or order as evaluate.ts says: their records of one owner go by here, a batch at a
 * time, and no more is held than what is asked for.
 */

/** The records of one owner in a collection, each once. A source is closed when no more of it is wanted. */
export type Batches<R extends StoredRecord = StoredRecord> = AsyncIterable<readonly R[]>

export interface ScanLimits {
  /** The most records that are looked at (SCAN_MAX_RECORDS). */
  maxRecords: number
}

interface Placed<R> {
  record: R
  position: Position
}

/**
 * What `query` asks for, in its order. When the source gives its records in that order already (`inOrder`), it is read only
 * until there are enough.
 * @throws Problem `unprocessable` when more than `maxRecords` would have to be looked at
 */
export async function scanPage<R extends StoredRecord>(
  batches: Batches<R>,
  { filter, order, after, limit }: Query,
  limits: ScanLimits & { inOrder?: boolean },
): Promise<R[]> {
  const found: Placed<R>[] = []
  if (limit < 1) return []
  for await (const record of matching(batches, filter, limits)) {
    const position = positionOf(record, order)
    if (after !== undefined && comparePositions(position, after, order) <= 0) continue
    const last = found.at(-1)
    if (found.length === limit && last && comparePositions(position, last.position, order) >= 0) continue
    found.splice(placeOf(position), 0, { record, position })
    if (found.length > limit) found.pop()
    if (limits.inOrder === true && found.length === limit) break
  }
  return found.map(({ record }) => record)

  /** How many of `found` come before it. */
  function placeOf(position: Position): number {
    let [low, high] = [0, found.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = found[middle]?.position ?? []
      if (comparePositions(other, position, order) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** How many records the filter lets through. @throws as scanPage */
export async function scanCount(
  batches: Batches,
  filter: dataStore.Filter | undefined,
  limits: ScanLimits,
): Promise<number> {
  let count = 0
  const found = matching(batches, filter, limits)
  while ((await found.next()).done !== true) count += 1
  return count
}

/**
 * Every record that the filter lets through: what a bulk write is to change.
 * @throws Problem `conflict` by tooManyAffected() when there are more than `maxAffected`, `unprocessable` by tooMuchAffected() when
 *   their data are larger together than BULK_CHANGE_BYTES, else as scanPage
 */
export async function scanSelection<R extends StoredRecord>(
  batches: Batches<R>,
  filter: dataStore.Filter,
  limits: ScanLimits & { maxAffected: number },
): Promise<R[]> {
  let bytes = 0
  return scanProjection(batches, filter, limits, (record) => {
    bytes += Buffer.byteLength(JSON.stringify(record.data))
    return bytes > BULK_CHANGE_BYTES ? tooMuchAffected() : record
  })
}

/** As scanSelection, of each record only what `project` makes of it: what is to be deleted need not be held whole. */
export async function scanProjection<R extends StoredRecord, P>(
  batches: Batches<R>,
  filter: dataStore.Filter,
  { maxAffected, ...limits }: ScanLimits & { maxAffected: number },
  project: (record: R) => P,
): Promise<P[]> {
  const found: P[] = []
  for await (const record of matching(batches, filter, limits)) {
    if (found.length === maxAffected) tooManyAffected(maxAffected)
    found.push(project(record))
  }
  return found
}

/** One by one, as they come. @throws as scanPage */
async function* matching<R extends StoredRecord>(
  batches: Batches<R>,
  filter: dataStore.Filter | undefined,
  { maxRecords }: ScanLimits,
): AsyncGenerator<R, void, undefined> {
  let seen = 0
  for await (const batch of batches) {
    for (const record of batch) {
      seen += 1
      if (seen > maxRecords) throw tooManyToScan(maxRecords)
      if (filter === undefined || matches(filter, record)) yield record
    }
  }
}

/** What a query is told that would have to look at more than `maxRecords`. */
function tooManyToScan(maxRecords: number): Problem {
  const detail = `This would have to look at more than ${String(maxRecords)} records, which is the most (SCAN_MAX_RECORDS).`
  return new Problem('unprocessable', detail)
}
