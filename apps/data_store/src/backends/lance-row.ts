import type { RecordData, StoredRecord } from '../backend.ts'
import { shortest } from './vector.ts'

/** A row of a LanceDB table: the record's data as JSON without the vector, which has a column of its own. */
export interface LanceRow extends Record<string, unknown> {
  owner: string
  id: string
  data: string
  vector?: Iterable<number>
  version: number
  created_at: string
  updated_at: string
}

const COLUMNS = ['owner', 'id', 'data', 'version', 'created_at', 'updated_at']

export function columnsFor(includeVector: boolean): string[] {
  return includeVector ? [...COLUMNS, 'vector'] : COLUMNS
}

export function toRow(record: { owner: string; id: string; data: RecordData; vector: number[] }): LanceRow {
  const now = new Date().toISOString()
  return { ...record, data: JSON.stringify(record.data), version: 1, created_at: now, updated_at: now }
}

/** The row that takes the place of `current`: the next version of the same record. */
export function nextRow(current: StoredRecord, data: RecordData, vector: number[]): LanceRow {
  const { id, owner, version, created_at } = current
  return { ...toRow({ owner, id, data, vector }), version: version + 1, created_at }
}

/**
 * The record in a row that was asked for on behalf of `owner`.
 * @throws Error when the row is somebody else's: the predicate has failed, and nothing may be given out.
 */
export function fromRow(row: unknown, owner: string, includeVector: boolean): StoredRecord {
  const { vector, ...columns } = row as LanceRow // the table has this schema, which LanceDB enforces
  if (columns.owner !== owner) throw new Error('a query for one user found a row of another')
  const data = JSON.parse(columns.data) as RecordData // written by toRow
  if (includeVector && vector) data.vector = Array.from(vector, (entry) => shortest(Math.fround(entry)))
  const { id, version, created_at, updated_at } = columns
  return { id, data, version, owner, created_at, updated_at }
}
