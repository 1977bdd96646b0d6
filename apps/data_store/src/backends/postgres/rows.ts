import { sql } from 'kysely'
import type { Operation, StoredRecord } from '../../backend.ts'
import type { Condition } from './filter-sql.ts'

export const COLUMNS = ['id', 'data', 'version', 'owner', 'created_at', 'updated_at'] as const

export type Row = Omit<StoredRecord, 'created_at' | 'updated_at'> & { created_at: Date; updated_at: Date }

export function fromRow(row: Row): StoredRecord {
  const { id, data, version, owner } = row
  return {
    id,
    data,
    version,
    owner,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  }
}

/** The rows of the operation's owner in its collection. */
export function ownRows({ collection, owner }: Operation): Condition {
  return sql`scope = ${collection.scope} and owner = ${owner} and collection = ${collection.name}`
}
