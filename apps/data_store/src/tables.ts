import type { ColumnType, Generated } from 'kysely'
import type { AuditOutcome } from '@waybill/database'
import type { RecordData } from './backend.ts'

type ReadOnly<T> = ColumnType<T, never, never>

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
  /** Written by recordAudit alone. */
  audit: {
    id: ReadOnly<string>
    at: ReadOnly<Date>
    actor: ReadOnly<string>
    on_behalf_of: ReadOnly<string | null>
    actors: ReadOnly<string[]>
    via: ReadOnly<string | null>
    action: ReadOnly<string>
    resource: ReadOnly<string>
    outcome: ReadOnly<AuditOutcome>
    details: ReadOnly<Record<string, unknown>>
    request_id: ReadOnly<string | null>
    trace_id: ReadOnly<string | null>
  }
  vector_collections: {
    owner: Generated<string>
    collection: string
    dimensions: number
  }
}
