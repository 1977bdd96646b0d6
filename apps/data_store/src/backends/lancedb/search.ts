import { MatchQuery, Operator } from '@lancedb/lancedb'
import { Problem } from '@waybill/service-kit'
import { compareTexts } from '../../query/evaluate.ts'
import type { SearchRequest, StoredRecord } from '../../backend.ts'
import type { ScanLimits } from '../../query/scan.ts'
import { FIRST, nextSize } from './pages.ts'
import { wrongLength } from './place.ts'
import type { Place } from './place.ts'
import { columnsFor, fromRow, owned, toRecord } from './row.ts'
import { rankOf, wordsIn } from './text-rank.ts'

export type ScoredRecord = StoredRecord & { score: number }

interface Hit {
  id: string
  score: number
}

/** How many of each ranking a hybrid search joins. */
const DEPTH = 200
/** The constant of reciprocal rank fusion, as its authors have it (Cormack, Clarke and Buettcher, SIGIR 2009). */
const RANK_CONSTANT = 60

/**
 * The owner's records that fit best. The predicate of the owner is applied before the ranking in each mode, so nobody else's rows
 * take a place in the limit, and scores and their order are made of the owner's rows alone.
 * @throws Problem `unprocessable` for a vector that is not as long as the owner's, and when more than `maxRecords` have the words
 */
export async function search(
  place: Place,
  { text, vector, limit, includeVector }: SearchRequest,
  limits: ScanLimits,
): Promise<ScoredRecord[]> {
  if (vector && vector.length !== place.dimensions) {
    throw wrongLength({ name: 'vector', vector: [...vector] }, place)
  }
  const depth = text !== undefined && vector ? Math.max(DEPTH, limit) : limit
  const [byText, byVector] = await Promise.all([
    text === undefined ? undefined : nearestTexts(place, text, limits),
    vector && nearestVectors(place, vector, depth),
  ])
  const hits = byText && byVector ? fused([byText.slice(0, depth), byVector]) : (byText ?? byVector ?? [])
  return recordsOf(place, hits.slice(0, limit), includeVector)
}

/**
 * Records with all the words, best first. LanceDB only finds them. It ranks by how rare a word is in the whole table, and
 * that would tell what others have written; so would a limit, which it fills by its own ranking.
 */
async function nearestTexts(place: Place, text: string, { maxRecords }: ScanLimits): Promise<Hit[]> {
  const { table, operation, where } = place
  const found = (await table
    .query()
    .fullTextSearch(new MatchQuery(text, 'text', { operator: Operator.And }))
    .where(where())
    .limit(maxRecords + 1)
    // A score that is not asked for comes all the same, with a warning.
    .select(['owner', 'id', '_score'])
    .toArray()) as { owner: string; id: string }[] // the columns that were asked for
  if (found.length > maxRecords) throw tooManyHits(maxRecords)
  const ids = found.map((row) => owned(row, operation).id)
  const words = new Set(wordsIn(text))
  const hits: Hit[] = []
  for (let size = FIRST; ids.length > 0;) {
    const values = ids.splice(0, size)
    const rows = (await table
      .query()
      .where(where({ column: 'id', operator: 'in', values }))
      .select(['owner', 'id', 'text'])
      .toArray()) as { owner: string; id: string; text: string }[] // the same
    for (const row of rows) hits.push({ id: owned(row, operation).id, score: rankOf(row.text, words) })
    size = nextSize(rows.map((row) => row.text))
  }
  return hits.sort(byScore)
}

/** Scored by cosine similarity, best first. */
async function nearestVectors(place: Place, vector: readonly number[], limit: number): Promise<Hit[]> {
  const rows = (await place.table
    .vectorSearch([...vector])
    .distanceType('cosine')
    .bypassVectorIndex()
    .where(place.where())
    .limit(limit)
    .select(['owner', 'id', '_distance'])
    .toArray()) as { owner: string; id: string; _distance: number }[] // the columns that were asked for
  return rows.map((row) => ({ id: owned(row, place.operation).id, score: 1 - row._distance })).sort(byScore)
}

/** Several rankings as one, scored by reciprocal rank fusion. */
function fused(rankings: readonly (readonly Hit[])[]): Hit[] {
  const scores = new Map<string, number>()
  for (const ranking of rankings) {
    for (const [at, { id }] of ranking.entries()) {
      scores.set(id, (scores.get(id) ?? 0) + 1 / (RANK_CONSTANT + at + 1))
    }
  }
  return [...scores].map(([id, score]) => ({ id, score })).sort(byScore)
}

/** Those that are still there, in the order of their hits. */
async function recordsOf(
  { table, operation, dimensions, where }: Place,
  hits: readonly Hit[],
  includeVector: boolean,
): Promise<ScoredRecord[]> {
  const rows = (await table
    .query()
    .where(where({ column: 'id', operator: 'in', values: hits.map(({ id }) => id) }))
    .select(columnsFor({ vector: includeVector && dimensions > 0 }))
    .toArray()) as unknown[] // LanceDB has no type for its rows
  const records = new Map(
    rows.map((row) => {
      const record = toRecord(fromRow(row, operation), includeVector)
      return [record.id, record]
    }),
  )
  return hits.flatMap(({ id, score }) => {
    const record = records.get(id)
    return record ? [{ ...record, score }] : []
  })
}

function byScore(one: Hit, other: Hit): number {
  return other.score - one.score || compareTexts(one.id, other.id)
}

/** What a search is told that would have to rank more than `maxRecords`. */
function tooManyHits(maxRecords: number): Problem {
  const detail = `More than ${String(maxRecords)} of your records have these words, and that is the most that are ranked (SCAN_MAX_RECORDS): ask for more words.`
  return new Problem('unprocessable', detail)
}
