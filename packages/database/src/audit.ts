import { requestContext, subjectOf } from '@waybill/service-kit'
import type { Principal } from '@waybill/service-kit'
import { activeTrace } from '@waybill/telemetry'
import { sql } from 'kysely'
import type { QueryExecutorProvider } from 'kysely'

/** `intent` stands before work that another store does, and is followed by a row with its outcome. */
export type AuditOutcome = 'intent' | 'success' | 'denied' | 'failure'

export interface AuditEntry {
  /** What was done: `record.create`, `session.login`. */
  action: string
  /** To what: `postgres/notes/7f3a`. No contents. */
  resource: string
  outcome: AuditOutcome
  /** More, as JSON. No credentials and no contents. */
  details?: Record<string, unknown>
  /** On whose authority, where that is not the principal of the request: who has just logged in, say. */
  principal?: Principal
}

/** An entry with everything that its row says, to be written after its request: see describeAudit. Plain JSON. */
export interface AuditRow {
  /** When it was done, in ISO 8601; the time of writing unless said. */
  at?: string
  /** null: the service itself, by the name that it gives Postgres. */
  actor: string | null
  on_behalf_of: string | null
  actors: string[]
  via: string | null
  action: string
  resource: string
  outcome: AuditOutcome
  details: Record<string, unknown>
  request_id: string | null
  trace_id: string | null
}

/**
 * Appends a row to `audit` within `tx`: it is there exactly when the work of the transaction is. What must be kept
 * although the work is rolled back (a denial) belongs in a transaction of its own.
 *
 * The actor is the service nearest to us when it acts for somebody, who is then in `on_behalf_of`; else the subject
 * itself; `anonymous` in a request that has proved nothing; and outside any request this service. Inside
 * `withPrincipal` the database refuses a row in another subject's name.
 */
export async function recordAudit(tx: QueryExecutorProvider, entry: AuditEntry): Promise<void> {
  await writeAudit(tx, [rowOf(entry)])
}

/**
 * The row of an entry, as recordAudit would write it here and now: who, for whom, in which request, and when. For rows that are
 * written later and together, by writeAudit.
 */
export function describeAudit(entry: AuditEntry): AuditRow {
  return { at: new Date().toISOString(), ...rowOf(entry) }
}

/** Appends rows to `audit` within `tx`, in their order, with one statement. */
export async function writeAudit(tx: QueryExecutorProvider, rows: readonly AuditRow[]): Promise<void> {
  // One parameter however many rows there are.
  await sql`
    insert into audit (at, actor, on_behalf_of, actors, via, action, resource, outcome, details, request_id, trace_id)
    select coalesce(r.at, clock_timestamp()), coalesce(r.actor, 'service:' || current_setting('application_name')),
      on_behalf_of, actors, via, action, resource, outcome, details, request_id, trace_id
    from jsonb_to_recordset(${JSON.stringify(rows, storable)}::jsonb) as r (
      at timestamptz, actor text, on_behalf_of text, actors text[], via text, action text, resource text, outcome text,
      details jsonb, request_id text, trace_id text)`.execute(tx)
}

/** Postgres has no NUL and no half of a surrogate pair in its texts: one such row would keep all others from being written. */
function storable(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '\ufffd') : value
}

function rowOf({ action, resource, outcome, details = {}, principal }: AuditEntry): AuditRow {
  const context = requestContext()
  return {
    ...identityOf(principal ?? context?.principal, context !== undefined),
    ...{ action, resource, outcome, details },
    request_id: context?.requestId ?? null,
    trace_id: activeTrace()?.traceId ?? null,
  }
}

function identityOf(principal: Principal | undefined, inRequest: boolean) {
  // Outside any request it is the service, which is the pool's application_name.
  if (!principal) return { actor: inRequest ? 'anonymous' : null, on_behalf_of: null, actors: [], via: null }
  const subject = subjectOf(principal)
  const [nearest] = principal.actors
  return {
    actor: nearest === undefined ? subject : `service:${nearest}`,
    on_behalf_of: nearest === undefined ? null : subject,
    actors: [...principal.actors],
    via: principal.via,
  }
}
