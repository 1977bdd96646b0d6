import type { Table } from '@lancedb/lancedb'
import { Problem } from '@waybill/service-kit'
import type { Operation } from '../../backend.ts'
import type { Predicate } from './predicate.ts'
import { toSql } from './predicate.ts'
import { ownerKey } from './row.ts'
import { tableName } from './tables.ts'
import type { LanceTables } from './tables.ts'
import type { VectorCollections } from './vector-collections.ts'

/** Where the records of an operation's owner are: the table, and the rows in it that may be looked at. */
export interface Place {
  operation: Operation
  table: Table
  /** The table's; its handle is not asked, for the native code refuses that during a read. */
  name: string
  /** How long the owner's vectors are; 0 when they have none, and the table no column for them. */
  dimensions: number
  /** What the owner column of those rows holds. */
  key: string
  /** As SQL: the row is the owner's, and all of `conditions` hold. */
  where: (...conditions: Predicate[]) => string
}

export interface NamedVector {
  /** What messages call it: `records[3].data.vector`, say. */
  name: string
  /** Empty when there is none. */
  vector: number[]
}

export interface Places {
  /** Undefined when the owner has never written to the collection, or nothing is left in its table. */
  of(operation: Operation): Promise<Place | undefined>
  /** Runs `work` where the owner's records are; `none` when there are no such. Once more when the table was dropped meanwhile. */
  reading<T>(operation: Operation, none: T, work: (place: Place) => Promise<T>): Promise<T>
  /** As the only writer of the collection, where the owner's records are; `none` when there are no such. */
  writing<T>(operation: Operation, none: T, work: (place: Place) => Promise<T>): Promise<T>
  /**
   * Where new records belong, whose vectors are as long as `first`. To be called by the only writer of the collection.
   * @throws Problem `unprocessable` when the owner's other records have vectors of another length
   */
  forNew(operation: Operation, first: NamedVector): Promise<Place>
}

export function createPlaces(tables: LanceTables, collections: VectorCollections): Places {
  function at(operation: Operation, dimensions: number, table: Table): Place {
    const key = ownerKey(operation)
    const owned: Predicate = { column: 'owner', operator: '=', value: key }
    return {
      operation,
      table,
      name: tableName(operation.collection.name, dimensions),
      dimensions,
      key,
      where: (...conditions) => toSql({ and: [owned, ...conditions] }),
    }
  }

  async function find(operation: Operation, dimensions: number): Promise<Place | undefined> {
    const table = await tables.find(tableName(operation.collection.name, dimensions))
    return table && at(operation, dimensions, table)
  }

  async function of(operation: Operation): Promise<Place | undefined> {
    const dimensions = await collections.dimensionsOf(operation)
    return dimensions === undefined ? undefined : find(operation, dimensions)
  }

  return {
    of,
    async reading(operation, none, work) {
      const place = await of(operation)
      if (!place) return none
      try {
        return await work(place)
      } catch (error) {
        if (error instanceof Problem) throw error
        const now = await of(operation)
        if (now?.table === place.table) throw error
        return now ? work(now) : none
      }
    },
    writing(operation, none, work) {
      return tables.asWriter(operation.collection.name, async () => {
        const place = await of(operation)
        return place ? work(place) : none
      })
    },
    async forNew(operation, first) {
      const dimensions = first.vector.length
      const fixed = await collections.claim(operation, dimensions)
      if (fixed !== dimensions) {
        const before = await find(operation, fixed)
        if (before && (await before.table.countRows(before.where())) > 0) throw wrongLength(first, before)
        await collections.change(operation, dimensions)
      }
      return at(operation, dimensions, await tables.open(tableName(operation.collection.name, dimensions)))
    },
  }
}

/** The first vector, when all are as long as it is. @throws Problem `unprocessable` naming one that is not */
export function firstOfEqual(vectors: readonly NamedVector[]): NamedVector | undefined {
  const [first] = vectors
  const other = vectors.find(({ vector }) => vector.length !== first?.vector.length)
  if (!first || !other) return first
  throw new Problem('unprocessable', `${lengthOf(other)}; ${lengthOf(first)}.`)
}

/** What a vector is told that is not as long as those of the owner's other records. */
export function wrongLength(given: NamedVector, { operation, dimensions }: Place): Problem {
  const { name } = operation.collection
  const others =
    dimensions === 0
      ? `your records in ${name} have no vectors`
      : `the vectors of your records in ${name} have ${String(dimensions)}`
  return new Problem('unprocessable', `${lengthOf(given)}; ${others}.`)
}

function lengthOf({ name, vector }: NamedVector): string {
  return vector.length === 0 ? `${name} is missing` : `${name} has ${String(vector.length)} numbers`
}
