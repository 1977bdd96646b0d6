import { recordAudit } from '@waybill/database'
import type { AuditOutcome, Database } from '@waybill/database'
import { outliveRequest } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import type { Tables } from '../tables.ts'
import type { Audited } from './store-supabase.ts'

/** How long the outcome may take to be written down when the request is over, in milliseconds. */
const OUTCOME_MS = 5_000

/**
 * For work that another database does: an `intent` is in the audit before it begins, or it does not begin, and its outcome after. An
 * intent without an outcome was interrupted.
 */
export function createAudited(database: Database<Tables>, log: Logger): Audited {
  return async (principal, entry, work) => {
    const write = (outcome: AuditOutcome) =>
      database.withPrincipal(principal, (tx) => recordAudit(tx, { ...entry, outcome }))
    const conclude = (outcome: AuditOutcome) =>
      outliveRequest(OUTCOME_MS, () => write(outcome)).catch((error: unknown) => {
        const { action, resource } = entry
        log.error({ err: error, action, resource, outcome }, 'an outcome could not be recorded in the audit')
      })
    await write('intent')
    let done: Awaited<ReturnType<typeof work>>
    try {
      done = await work()
    } catch (error) {
      await conclude('failure')
      throw error
    }
    await conclude(entry.outcome)
    return done
  }
}
