import { MatchQuery, Operator } from '@lancedb/lancedb'
import type { SearchRequest, StoredRecord } from '../../backend.ts'
import { wrongLength } from './place.ts'
import type { Place } from './place.ts'
import { columnsFor, fromRow, toRecord } from './row.ts'
import type { FoundRecord } from './row.ts'

interface Hit {
  record: FoundRecord
  score: number
}

/** How many of each ranking a hybrid search joins. */
const DEPTH = 200
/** The constant of reciprocal rank fusion, as its authors have it (Cormack, Clarke and Buettcher, SIGIR 2009). */
const RANK_CONSTANT = 60

/**
 * The owner's records that fit best. The predicate of the owner is applied before the ranking in each mode, so nobody else's rows
 * take a place in the limit.
 * @throws Problem `unprocessable` for a vector that is not as long as the owner's
 */
export async function search(
  place: Place,
  { text, vector, limit, includeVector }: SearchRequest,
): Promise<(StoredRecord & { score: number })[]> {
  if (vector && vector.length !== place.dimensions) {
    throw wrongLength({ name: 'vector', vector: [...vector] }, place)
  }
  const withVector = includeVector && place.dimensions > 0
  const depth = text !== undefined && vector ? Math.max(DEPTH, limit) : limit
  const [byText, byVector] = await Promise.all([
    text === undefined ? undefined : nearestTexts(place, text, depth, withVector),
    vector && nearestVectors(place, vector, depth, withVector),
  ])
  const hits = byText ? fused([byText, ...(byVector ? [byVector] : [])]) : (byVector ?? [])
  return hits
    .sort((one, other) => other.score - one.score || (one.record.id < other.record.id ? -1 : 1))
    .slice(0, limit)
    .map(({ record, score }) => ({ ...toRecord(record, includeVector), score }))
}

/** Records with all the words, best first. */
async function nearestTexts(place: Place, text: string, limit: number, withVector: boolean) {
  const rows = (await place.table
    .query()
    .fullTextSearch(new MatchQuery(text, 'text', { operator: Operator.And }))
    .where(place.where())
    .limit(limit)
    .select([...columnsFor(withVector), '_score'])
    .toArray()) as unknown[] // LanceDB has no type for its rows
  return rows.map((row) => ({ record: fromRow(row, place.operation), score: 0 }))
}

/** Scored by cosine similarity. */
async function nearestVectors(place: Place, vector: readonly number[], limit: number, withVector: boolean) {
  const rows = (await place.table
    .vectorSearch([...vector])
    .distanceType('cosine')
    .bypassVectorIndex()
    .where(place.where())
    .limit(limit)
    .select([...columnsFor(withVector), '_distance'])
    .toArray()) as { _distance: number }[] // asked for, besides the record's own
  return rows.map((row) => ({ record: fromRow(row, place.operation), score: 1 - row._distance }))
}

/**
 * Several rankings as one, scored by reciprocal rank fusion. By rank also where there is only one, of texts: LanceDB weighs words
 * by how rare they are in the whole table, and such a weight would tell what others have written.
 */
function fused(rankings: readonly (readonly Hit[])[]): Hit[] {
  const joined = new Map<string, Hit>()
  for (const ranking of rankings) {
    for (const [at, { record }] of ranking.entries()) {
      const hit = joined.get(record.id) ?? { record, score: 0 }
      hit.score += 1 / (RANK_CONSTANT + at + 1)
      joined.set(record.id, hit)
    }
  }
  return [...joined.values()]
}
