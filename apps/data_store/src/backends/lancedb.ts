import type { Table } from '@lancedb/lancedb'
import { Problem, unavailable } from '@waybill/service-kit'
import { ATTRIBUTE, SPAN, withSpan } from '@waybill/telemetry'
import { taken } from '../backend.ts'
import type { Backend, Operation, StoredRecord } from '../backend.ts'
import { predicate } from './lance-predicate.ts'
import type { Condition } from './lance-predicate.ts'
import { columnsFor, fromRow, nextRow, toRow } from './lance-row.ts'
import type { LanceRow } from './lance-row.ts'
import type { LanceTables } from './lance-tables.ts'
import type { VectorCollections } from './vector-collections.ts'
import { asVector } from './vector.ts'

export interface LanceBackendOptions {
  tables: LanceTables
  collections: VectorCollections
  maxDimensions: number
}

/** There is one writer per collection, so a second process, which there should not be, is all that takes more than one. */
const UPDATE_ATTEMPTS = 3

interface NamedVector {
  /** What messages call it: `records[3].data.vector`, say. */
  name: string
  vector: number[]
}

/**
 * Records with a vector, in an embedded LanceDB. It knows no users: every query and every deletion is restricted to the
 * owner by a predicate made here, and every row is looked at again before it is given out. Unique ids come from there
 * being one writer per collection.
 */
export function createLanceBackend({ tables, collections, maxDimensions }: LanceBackendOptions): Backend {
  /** The user's table in a collection; undefined when they have never written to it. */
  async function tableOf({ principal, collection }: Operation): Promise<Table | undefined> {
    const dimensions = await collections.dimensionsOf(principal, collection)
    return dimensions === undefined ? undefined : tables.open(collection, dimensions)
  }

  /** The table for new records, whose vectors must be as long as the user's others in the collection. */
  async function tableFor(operation: Operation, { vector, name }: NamedVector): Promise<Table> {
    const { principal, collection } = operation
    const dimensions = vector.length
    const fixed = await collections.claim(principal, collection, dimensions)
    if (fixed !== dimensions) {
      const before = await tables.open(collection, fixed)
      if ((await before.countRows(predicate(ownedBy(principal.userId)))) > 0) {
        throw wrongLength(name, dimensions, collection, fixed)
      }
      await collections.change(principal, collection, dimensions)
    }
    return tables.open(collection, dimensions)
  }

  async function find(
    table: Table | undefined,
    owner: string,
    id: string,
  ): Promise<StoredRecord | undefined> {
    const rows = await table
      ?.query()
      .where(predicate(ownedBy(owner), withId(id)))
      .limit(1)
      .toArray()
    return rows?.map((row: unknown) => fromRow(row, owner, true))[0]
  }

  return {
    auditsWrites: false,

    async create(operation, records, { includeVector }) {
      const { principal, collection } = operation
      const vectors: NamedVector[] = []
      const rows = records.map(({ id, data: { vector: given, ...data }, name: of }) => {
        const name = `${of}.vector`
        const vector = asVector(given, name, maxDimensions)
        vectors.push({ name, vector })
        return toRow({ owner: principal.userId, id, data, vector })
      })
      const first = firstOfEqual(vectors)
      if (!first) return []
      return traced('create', collection, () =>
        tables.asWriter(collection, async () => {
          const table = await tableFor(operation, first)
          const known = (await table
            .query()
            .where(predicate(ownedBy(principal.userId), withIdIn(records)))
            .select(['id'])
            .limit(1)
            .toArray()) as { id: string }[] // the one column that was asked for
          for (const { id } of known) taken(id, collection)
          // One commit: whatever happens now, all of them are there or none is.
          await table.add(rows)
          tables.written(table, collection)
          return rows.map((row) => fromRow(row, principal.userId, includeVector))
        }),
      )
    },

    async read(operation, id) {
      const { principal, collection } = operation
      return traced('read', collection, async () => find(await tableOf(operation), principal.userId, id))
    },

    async list(operation, { limit, after, includeVector }) {
      const { principal, collection } = operation
      const conditions: Condition[] =
        after === undefined ? [] : [{ column: 'id', operator: '>', value: after }]
      return traced('list', collection, async () => {
        const table = await tableOf(operation)
        const rows = await table
          ?.query()
          .where(predicate(ownedBy(principal.userId), ...conditions))
          .orderBy({ columnName: 'id' })
          .limit(limit)
          .select(columnsFor(includeVector))
          .toArray()
        return (rows ?? []).map((row: unknown) => fromRow(row, principal.userId, includeVector))
      })
    },

    async update(operation, id, change) {
      const { principal, collection } = operation
      return traced('update', collection, () =>
        tables.asWriter(collection, async () => {
          const dimensions = await collections.dimensionsOf(principal, collection)
          if (dimensions === undefined) return undefined
          const table = await tables.open(collection, dimensions)
          for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt += 1) {
            const current = await find(table, principal.userId, id)
            if (!current) return undefined
            const { vector: given, ...data } = change(current)
            const vector = asVector(given, 'data.vector', maxDimensions)
            if (vector.length !== dimensions) {
              throw wrongLength('data.vector', vector.length, collection, dimensions)
            }
            const row = nextRow(current, data, vector)
            if (!(await replaceRow(table, row, current.version))) continue
            tables.written(table, collection)
            return fromRow(row, principal.userId, true)
          }
          throw unavailable(`The record ${id}, which others are changing,`)
        }),
      )
    },

    async delete(operation, id, permit) {
      const { principal, collection } = operation
      return traced('delete', collection, () =>
        tables.asWriter(collection, async () => {
          const table = await tableOf(operation)
          const current = await find(table, principal.userId, id)
          // Even a deletion that finds nothing writes a new version of the table.
          if (!table || !current) return false
          permit(current)
          await table.delete(predicate(ownedBy(principal.userId), withId(id)))
          tables.written(table, collection)
          return true
        }),
      )
    },

    async search(operation, options) {
      const { principal, collection } = operation
      const vector = asVector(options.vector, 'vector', maxDimensions)
      return traced('search', collection, async () => {
        const dimensions = await collections.dimensionsOf(principal, collection)
        if (dimensions === undefined) return []
        if (dimensions !== vector.length) throw wrongLength('vector', vector.length, collection, dimensions)
        const table = await tables.open(collection, dimensions)
        const rows = await table
          .vectorSearch(vector)
          .distanceType('cosine')
          .where(predicate(ownedBy(principal.userId)))
          .limit(options.limit)
          .select([...columnsFor(options.includeVector), '_distance'])
          .toArray()
        return rows.map((row: { _distance: number }) => ({
          ...fromRow(row, principal.userId, options.includeVector),
          score: 1 - row._distance,
        }))
      })
    },
  }
}

/**
 * Puts `row` in the place of the one with its owner and id, if that has `version` still: in one commit, so that whoever reads
 * finds the one or the other. Whether it had.
 */
async function replaceRow(table: Table, row: LanceRow, version: number): Promise<boolean> {
  const unchanged = predicate({ column: 'target.version', operator: '=', value: version })
  const { numUpdatedRows } = await table
    .mergeInsert(['owner', 'id'])
    .whenMatchedUpdateAll({ where: unchanged })
    .execute([row])
  return numUpdatedRows > 0
}

function ownedBy(owner: string): Condition {
  return { column: 'owner', operator: '=', value: owner }
}

function withId(id: string): Condition {
  return { column: 'id', operator: '=', value: id }
}

function withIdIn(records: readonly { id: string }[]): Condition {
  return { column: 'id', operator: 'in', values: records.map(({ id }) => id) }
}

/** The first vector, when all are as long as it is. @throws Problem `unprocessable` naming one that is not */
function firstOfEqual(vectors: readonly NamedVector[]): NamedVector | undefined {
  const [first] = vectors
  const other = vectors.find(({ vector }) => vector.length !== first?.vector.length)
  if (!first || !other) return first
  const lengths = [other, first].map(({ name, vector }) => `${name} has ${String(vector.length)} numbers`)
  throw new Problem('unprocessable', `${lengths.join('; ')}.`)
}

function wrongLength(name: string, has: number, collection: string, wanted: number): Problem {
  const detail = `${name} has ${String(has)} numbers; the vectors of your records in ${collection} have ${String(wanted)}.`
  return new Problem('unprocessable', detail)
}

async function traced<T>(operation: string, collection: string, work: () => Promise<T>): Promise<T> {
  const attributes = {
    [ATTRIBUTE.system]: 'lancedb',
    [ATTRIBUTE.operation]: operation,
    [ATTRIBUTE.collection]: collection,
  }
  return withSpan(SPAN.vectorStore, attributes, work)
}
