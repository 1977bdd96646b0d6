import { unavailable } from '@waybill/service-kit'
import { SPAN } from '@waybill/telemetry'
import { taken } from '../../backend.ts'
import type { Backend, Operation, RecordData, StoredRecord } from '../../backend.ts'
import type { Query } from '../../query/query.ts'
import { scanCount, scanPage, scanProjection, scanSelection } from '../../query/scan.ts'
import { nothingDone } from '../../refusal.ts'
import { traced } from '../traced.ts'
import { pages } from './pages.ts'
import { createPlaces, firstOfEqual, wrongLength } from './place.ts'
import type { NamedVector, Place } from './place.ts'
import { IS_PREDECESSOR } from './predicate.ts'
import type { Predicate } from './predicate.ts'
import { looksAtVector, orderedWithoutVector, pushDown } from './push-down.ts'
import { columnsFor, fromRow, nextRow, toRecord, toRow, withVector } from './row.ts'
import type { FoundRecord, LanceRow } from './row.ts'
import { search } from './search.ts'
import type { ScoredRecord } from './search.ts'
import type { LanceTables } from './tables.ts'
import type { VectorCollections } from './vector-collections.ts'
import { asVector } from './vector.ts'

export interface LanceBackendOptions {
  tables: LanceTables
  collections: VectorCollections
  maxDimensions: number
  /** The most records that a query looks at which LanceDB cannot answer by itself (SCAN_MAX_RECORDS). */
  scanMaxRecords: number
}

/** There is one writer per collection, so only a second process, which cannot have the folder, would take more than one. */
const ATTEMPTS = 3

/**
 * Records with or without a vector, in an embedded LanceDB. It knows no users: every query and every deletion is restricted to
 * the owner by a predicate made here, and every row is looked at again before it is given out. Unique ids come from there
 * being one writer per collection, whole writes from each being one commit.
 */
export function createLanceBackend(options: LanceBackendOptions): Backend {
  const { tables, maxDimensions } = options
  const places = createPlaces(tables, options.collections)
  const limits = { maxRecords: options.scanMaxRecords }

  /** `data` without its vector, which messages call `name.vector`, and the vector. */
  function apart({ vector: given, ...data }: RecordData, name: string): { data: RecordData } & NamedVector {
    const vector = given === undefined ? [] : asVector(given, `${name}.vector`, maxDimensions)
    return { data, name: `${name}.vector`, vector }
  }

  /** The row that takes the place of `current`. @throws Problem `unprocessable` when its vector does not fit */
  function changed(place: Place, current: FoundRecord, next: RecordData): LanceRow {
    const { data, ...named } = apart(next, 'data')
    if (named.vector.length !== place.dimensions) throw wrongLength(named, place)
    return nextRow(current, { key: place.key, id: current.id, data, vector: named.vector })
  }

  /** Those that the filter lets through, as scan.ts wants them. */
  function candidates(place: Place, filter: Query['filter'], { vectors = false, contents = true } = {}) {
    const { predicate, exact } = pushDown(filter)
    const inFilter = looksAtVector(filter)
    const found = pages(place, {
      predicate,
      withData: contents || !exact,
      withVector: vectors || inFilter,
    })
    return inFilter ? withVectors(found) : found
  }

  const backend: Backend = {
    auditsWrites: false,
    searchModes: ['text', 'vector', 'hybrid'],

    async create(operation, records, { includeVector, onConflict }) {
      const parts = records.map(({ id, data, name }) => ({ id, ...apart(data, name) }))
      const first = firstOfEqual(parts)
      if (!first) return []
      const work = async () => {
        const place = await places.forNew(operation, first)
        const known = await versionsOf(
          place,
          parts.map(({ id }) => id),
        )
        const [one] = known.keys()
        if (onConflict === 'error' && one !== undefined) taken(one, operation.collection.name)
        const rows = parts.map((part) => {
          const current = known.get(part.id)
          const record = { key: place.key, ...part }
          return current ? nextRow(current, record) : toRow(record)
        })
        tables.writing(place.name, { erases: known.size > 0 })
        if (known.size === 0) await place.table.add(rows)
        else if (!(await merge(place, rows, { inserts: true }))) throw busy(operation)
        return rows.map((row) => toRecord(fromRow(row, operation), includeVector))
      }
      return tables.asWriter(operation.collection.name, work)
    },

    async read(operation, id) {
      const work = async (place: Place) => {
        const found = await readOne(place, id)
        return found && toRecord(found, true)
      }
      return places.reading(operation, undefined, work)
    },

    async find(operation, asked) {
      const query = orderedWithoutVector(asked)
      const { filter, order, after, includeVector, limit } = query
      const work = async (place: Place) => {
        const { predicate, exact } = pushDown(filter)
        const inFilter = looksAtVector(filter)
        // By id, which no two records share, LanceDB goes on where the page before ended.
        const [key] = order
        const last = after?.[0]?.[0] === 1 ? after[0][1] : undefined
        const inOrder = key?.field === 'id' && (after === undefined || last !== undefined)
        const found = pages(place, {
          predicate,
          withVector: includeVector || inFilter,
          ...(inOrder && { descending: key.descending, after: last }),
          ...(inOrder && exact && { first: limit }),
        })
        const source = inFilter ? withVectors(found) : found
        const looked = inOrder && exact ? { maxRecords: limit } : limits
        const page = await scanPage(source, query, { ...looked, inOrder })
        return page.map((record) => toRecord(record, includeVector))
      }
      return places.reading<StoredRecord[]>(operation, [], work)
    },

    async count(operation, filter) {
      const work = async (place: Place) => {
        const { predicate, exact } = pushDown(filter)
        return exact
          ? place.table.countRows(place.where(predicate))
          : scanCount(candidates(place, filter), filter, limits)
      }
      return places.reading(operation, 0, work)
    },

    async update(operation, id, change) {
      const work = async (place: Place) => {
        for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
          const current = await readOne(place, id)
          if (!current) return undefined
          const row = changed(place, current, change(toRecord(current, true)))
          tables.writing(place.name, { erases: true })
          if (await merge(place, [row])) return toRecord(fromRow(row, operation), true)
        }
        throw nothingDone(busy(operation))
      }
      return places.writing(operation, undefined, work)
    },

    async updateMany(operation, filter, change, maxAffected) {
      const work = async (place: Place) => {
        const found = candidates(place, filter, { vectors: true })
        const selected = await scanSelection(found, filter, { ...limits, maxAffected })
        if (selected.length === 0) return []
        const rows = selected.map((current) => changed(place, current, change(toRecord(current, true))))
        tables.writing(place.name, { erases: true })
        if (!(await merge(place, rows))) throw busy(operation)
        return rows.map(({ id }) => id)
      }
      return places.writing<string[]>(operation, [], work)
    },

    async delete(operation, id, permit) {
      const work = async (place: Place) => {
        for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
          const current = await readOne(place, id)
          // Even a deletion that finds nothing writes a new version of the table.
          if (!current) return false
          permit(toRecord(current, false))
          const same: Predicate = { column: 'version', operator: '=', value: current.version }
          tables.writing(place.name, { erases: true })
          const { numDeletedRows } = await place.table.delete(place.where(withId(id), same))
          if (numDeletedRows > 0) return true
        }
        throw nothingDone(busy(operation))
      }
      return places.writing(operation, false, work)
    },

    async deleteMany(operation, filter, maxAffected) {
      const work = async (place: Place) => {
        const found = candidates(place, filter, { contents: false })
        const ids = await scanProjection(found, filter, { ...limits, maxAffected }, ({ id }) => id)
        if (ids.length === 0) return []
        tables.writing(place.name, { erases: true })
        await place.table.delete(place.where({ column: 'id', operator: 'in', values: ids }))
        return ids
      }
      return places.writing<string[]>(operation, [], work)
    },

    async search(operation, request) {
      const vector = request.vector && asVector(request.vector, 'vector', maxDimensions)
      const work = (place: Place) => search(place, { ...request, vector }, limits)
      return places.reading<ScoredRecord[]>(operation, [], work)
    },
  }
  return traced(backend, SPAN.vectorStore, 'lancedb')
}

async function readOne(place: Place, id: string): Promise<FoundRecord | undefined> {
  const rows = (await place.table
    .query()
    .where(place.where(withId(id)))
    .select(columnsFor({ vector: place.dimensions > 0 }))
    .limit(1)
    .toArray()) as unknown[] // LanceDB has no type for its rows
  return rows.map((row) => fromRow(row, place.operation))[0]
}

/** Of those of `ids` that are there, by id: what the next version is made of. */
async function versionsOf(place: Place, ids: readonly string[]) {
  const rows = (await place.table
    .query()
    .where(place.where({ column: 'id', operator: 'in', values: ids }))
    .select(['id', 'version', 'created_at'])
    .toArray()) as { id: string; version: number; created_at: string }[] // the columns that were asked for
  return new Map(rows.map((row) => [row.id, row]))
}

/**
 * Puts `rows` in the place of the versions before them, in one commit: whoever reads finds the ones or the others. Whether all of them
 * were still there; a row whose version has moved on is left alone. Owner and id together are the key, so that nobody else's
 * row is ever matched; rows that are not in `rows` are never touched (whenNotMatchedBySource would delete them).
 */
async function merge({ table }: Place, rows: LanceRow[], { inserts = false } = {}): Promise<boolean> {
  const builder = table.mergeInsert(['owner', 'id']).whenMatchedUpdateAll({ where: IS_PREDECESSOR })
  const result = await (inserts ? builder.whenNotMatchedInsertAll() : builder).execute(rows)
  return result.numUpdatedRows + result.numInsertedRows === rows.length
}

async function* withVectors(batches: AsyncIterable<FoundRecord[]>): AsyncGenerator<FoundRecord[]> {
  for await (const batch of batches) yield batch.map(withVector)
}

function withId(id: string): Predicate {
  return { column: 'id', operator: '=', value: id }
}

function busy({ collection }: Operation) {
  return unavailable(`The collection ${collection.name}, which others are changing,`)
}
