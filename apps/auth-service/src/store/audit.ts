import type { authService } from '@waybill/contracts'
import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import type { Schema } from './schema.ts'

type Tx = Transaction<Schema>
type AuditRow = authService.AuditRow

export interface AuditFilter {
  /** The `seq` after which to begin; the newest rows when absent. */
  after?: number | undefined
  limit: number
  action?: string | undefined
  /** `user:<id>` or `service:<name>`: whoever did it, or for whom it was done. */
  subject?: string | undefined
  outcome?: AuditRow['outcome'] | undefined
}

/** Where the chain ends. */
export interface AuditHead {
  seq: number
  hash: string
}

/** Rows of the audit, the oldest first; the time is the very text that is in the hash. */
export async function listAudit(tx: Tx, filter: AuditFilter): Promise<AuditRow[]> {
  const { after, limit, action, subject, outcome } = filter
  const conditions = [
    ...(after === undefined ? [] : [sql`seq > ${after}`]),
    ...(action === undefined ? [] : [sql`action = ${action}`]),
    ...(subject === undefined ? [] : [sql`(actor = ${subject} or on_behalf_of = ${subject})`]),
    ...(outcome === undefined ? [] : [sql`outcome = ${outcome}`]),
  ]
  const where = conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `)
  const { rows } = await sql<AuditRow>`
    select seq::float8 as seq, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, actor,
      on_behalf_of, actors, via, action, resource, outcome, details, request_id, trace_id, previous_hash, hash
    from audit where ${where} order by seq ${after === undefined ? sql`desc` : sql`asc`} limit ${limit}`.execute(
    tx,
  )
  return after === undefined ? rows.reverse() : rows
}

export async function readAuditHead(tx: Tx): Promise<AuditHead> {
  const { rows } = await sql<AuditHead>`select seq::float8 as seq, hash from audit_head`.execute(tx)
  const [head] = rows
  if (!head) throw new Error('the audit has no head')
  return head
}
