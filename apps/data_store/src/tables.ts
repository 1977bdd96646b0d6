import type { ColumnType, Generated } from 'kysely'
import type { AuditOutcome, AuditRow } from '@waybill/database'
import type { RecordData } from './backend.ts'
import type { OwnerScope } from './collections/collection.ts'

type ReadOnly<T> = ColumnType<T, never, never>

/** The database of the service. */
export interface Tables {
  records: {
    scope: OwnerScope
    owner: string
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
  /** Written by open-intents.ts alone. */
  open_intents: {
    id: string
    at: Generated<Date>
    row: ColumnType<AuditRow, string, never>
  }
  vector_collections: {
    scope: Generated<OwnerScope>
    /** Unless said, the claim of the transaction's user. */
    owner: Generated<string>
    collection: string
    dimensions: number
  }
  /** Written by idempotency.ts alone; the user is the claim of the transaction. */
  idempotency_keys: {
    user_id: Generated<string>
    key: string
    fingerprint: string
    answer: string | null
    created_at: Generated<Date>
  }
}
