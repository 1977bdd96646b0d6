import { Field, FixedSizeList, Float32, Int32, Schema, Utf8 } from 'apache-arrow'
import type { Operation, RecordData, StoredRecord } from '../../backend.ts'
import { shortest } from './vector.ts'

/** A row of a LanceDB table: the record's data as JSON without the vector, which has a column of its own. */
export interface LanceRow extends Record<string, unknown> {
  owner: string
  id: string
  data: string
  /** What full-text search looks at: the texts in the data, one to a line. */
  text: string
  vector?: Iterable<number>
  version: number
  created_at: string
  updated_at: string
}

/** Of a table whose rows have vectors of that length; 0 for none. */
export function schemaFor(dimensions: number): Schema {
  const text = (name: string) => new Field(name, new Utf8(), false)
  const vector = (length: number) =>
    new Field('vector', new FixedSizeList(length, new Field('item', new Float32(), true)), false)
  return new Schema([
    text('owner'),
    text('id'),
    text('data'),
    text('text'),
    ...(dimensions > 0 ? [vector(dimensions)] : []),
    new Field('version', new Int32(), false),
    text('created_at'),
    text('updated_at'),
  ])
}

/** A record in which the vector, if it was asked for, is not yet in `data`. */
export type FoundRecord = StoredRecord & { vector: Float32Array | undefined }

const COLUMNS = ['owner', 'id', 'version', 'created_at', 'updated_at']

/** What is read of a row besides. */
export function columnsFor({ data = true, vector }: { data?: boolean; vector: boolean }): string[] {
  return [...COLUMNS, ...(data ? ['data'] : []), ...(vector ? ['vector'] : [])]
}

/** What the owner column holds: a user and a tenant may have the same id, and no scope has a colon. */
export function ownerKey({ collection, owner }: Pick<Operation, 'collection' | 'owner'>): string {
  return `${collection.scope}:${owner}`
}

export function toRow(record: { key: string; id: string; data: RecordData; vector: number[] }): LanceRow {
  const { key: owner, id, data, vector } = record
  const now = new Date().toISOString()
  return {
    owner,
    id,
    data: JSON.stringify(data),
    text: textsIn(data).join('\n'),
    ...(vector.length > 0 && { vector }),
    version: 1,
    created_at: now,
    updated_at: now,
  }
}

/** The row that takes the place of `current`: the next version of the same record. */
export function nextRow(
  current: Pick<StoredRecord, 'version' | 'created_at'>,
  record: Parameters<typeof toRow>[0],
): LanceRow {
  return { ...toRow(record), version: current.version + 1, created_at: current.created_at }
}

/**
 * A row that was asked for on behalf of the operation's owner.
 * @throws Error when the row is somebody else's: the predicate has failed, and nothing may be given out.
 */
export function owned<T extends { owner: string }>(
  row: T,
  operation: Pick<Operation, 'collection' | 'owner'>,
): T {
  if (row.owner !== ownerKey(operation)) throw new Error('a query for one owner found a row of another')
  return row
}

interface ReadRow {
  owner: string
  id: string
  data?: string
  vector?: Iterable<number>
  version: number
  created_at: string
  updated_at: string
}

/** The record in such a row; its data is empty when that was not asked for. @throws as owned() */
export function fromRow(row: unknown, operation: Pick<Operation, 'collection' | 'owner'>): FoundRecord {
  // The table has this schema, which LanceDB enforces.
  const { id, data = '{}', vector, version, created_at, updated_at } = owned(row as ReadRow, operation)
  return {
    id,
    data: JSON.parse(data) as RecordData, // written by toRow
    version,
    owner: operation.owner,
    created_at,
    updated_at,
    // A copy: the row's own is a window on a whole batch of rows.
    vector: vector && Float32Array.from(vector),
  }
}

/** The record as it is given out; `includeVector` puts the vector that was read into `data`. */
export function toRecord({ vector, ...record }: FoundRecord, includeVector: boolean): StoredRecord {
  const { vector: _, ...data } = record.data
  if (includeVector && vector) data.vector = Array.from(vector, shortest)
  return { ...record, data }
}

/** As toRecord, for those that go on with the vector in both places. */
export function withVector(found: FoundRecord): FoundRecord {
  return { ...toRecord(found, true), vector: found.vector }
}

/** The texts anywhere in `value`, in their order. */
export function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(textsIn)
}
