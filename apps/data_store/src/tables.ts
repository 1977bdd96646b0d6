import type { ColumnType, Generated } from 'kysely'
import type { RecordData } from './backend.ts'

/** The database of the service. What is `Generated` in `owner` is the claim of the transaction's user. */
export interface Tables {
  records: {
    owner: Generated<string>
    collection: string
    id: string
    data: ColumnType<RecordData, string, string>
    version: Generated<number>
    created_at: Generated<Date>
    updated_at: Generated<Date>
  }
  vector_collections: {
    owner: Generated<string>
    collection: string
    dimensions: number
  }
}
