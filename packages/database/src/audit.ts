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

/**
 * Appends a row to `audit` within `tx`: it is there exactly when the work of the transaction is. What must be kept
 * although the work is rolled back (a denial) belongs in a transaction of its own.
 *
 * The actor is the service nearest to us when it acts for somebody, who is then in `on_behalf_of`; else the subject
 * itself; `anonymous` in a request that has proved nothing; and outside any request this service. Inside
 * `withPrincipal` the database refuses a row in another subject's name.
 */
export async function recordAudit(tx: QueryExecutorProvider, entry: AuditEntry): Promise<void> {
  const context = requestContext()
  const who = identityOf(entry.principal ?? context?.principal, context !== undefined)
  await sql`
    insert into audit (actor, on_behalf_of, actors, via, action, resource, outcome, details, request_id, trace_id)
    values (${who.actor}, ${who.onBehalfOf}, ${who.actors}, ${who.via}, ${entry.action}, ${entry.resource},
      ${entry.outcome}, ${JSON.stringify(entry.details ?? {})}, ${context?.requestId ?? null},
      ${activeTrace()?.traceId ?? null})`.execute(tx)
}

function identityOf(principal: Principal | undefined, inRequest: boolean) {
  if (!principal) {
    // The pool's application_name is the service's.
    const actor = inRequest ? sql`'anonymous'` : sql`'service:' || current_setting('application_name')`
    return { actor, onBehalfOf: null, actors: [], via: null }
  }
  const subject = subjectOf(principal)
  const [nearest] = principal.actors
  return {
    actor: nearest === undefined ? sql`${subject}` : sql`${`service:${nearest}`}`,
    onBehalfOf: nearest === undefined ? null : subject,
    actors: [...principal.actors],
    via: principal.via,
  }
}
