import { hasPermission } from '@waybill/auth'
import type { dataStore } from '@waybill/contracts'
import { recordAudit } from '@waybill/database'
import type { AuditOutcome, Database } from '@waybill/database'
import { Problem, subjectOf } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import { sql } from 'kysely'
import { auditCursorAfter, readAuditCursor, rowNumber } from './cursor.ts'
import type { Journal } from './journal.ts'
import type { Tables } from '../tables.ts'

interface AuditQuery {
  limit: number
  cursor?: string | undefined
  /** A backend, a collection or a record: rows of this and of what is in it. */
  resource?: string | undefined
  outcome?: AuditOutcome | undefined
  action?: string | undefined
  requestId?: string | undefined
  /** The caller, unless said. */
  subject?: string | undefined
}

interface AuditPage {
  items: dataStore.AuditRow[]
  next_cursor: string | null
}

export interface AuditTrail {
  /**
   * Rows of what was done on the authority of one subject, the newest first. Reading somebody else's leaves a row itself.
   * @throws Problem `insufficient_permission` for another subject without `audit.read`, whether there are rows or not
   */
  list(user: UserPrincipal, query: AuditQuery): Promise<AuditPage>
}

const COLUMNS = [
  'id',
  'at',
  'actor',
  'on_behalf_of',
  'actors',
  'via',
  'action',
  'resource',
  'outcome',
  'details',
  'request_id',
  'trace_id',
] as const

/**
 * Row-level security decides what is seen; the condition on the subject, which has an index, only narrows it. `journal` is
 * asked to write first what it still holds.
 */
export function createAuditTrail(database: Database<Tables>, journal: Pick<Journal, 'flush'>): AuditTrail {
  return {
    async list(principal, { limit, cursor, subject = subjectOf(principal), ...conditions }) {
      const { resource, outcome, action, requestId } = conditions
      const before = readAuditCursor(cursor, rowNumber)
      const isForeign = subject !== subjectOf(principal)
      if (isForeign && !hasPermission(principal.permissions, 'audit.read')) throw notAllowed()
      await journal.flush()
      const rows = await database.withPrincipal(
        principal,
        async (tx) => {
          if (isForeign) {
            await recordAudit(tx, { action: 'audit.read', resource: `audit/${subject}`, outcome: 'success' })
          }
          return (
            tx
              .selectFrom('audit')
              .select(COLUMNS)
              .where(sql`coalesce(on_behalf_of, actor)`, '=', subject)
              .$if(before !== undefined, (query) => query.where('id', '<', before ?? ''))
              .$if(outcome !== undefined, (query) => query.where('outcome', '=', outcome ?? 'success'))
              .$if(action !== undefined, (query) => query.where('action', '=', action ?? ''))
              .$if(requestId !== undefined, (query) => query.where('request_id', '=', requestId ?? ''))
              .$if(resource !== undefined, (query) => query.where(within(resource ?? '')))
              .orderBy('id', 'desc')
              // One more than asked for tells whether there is another page.
              .limit(limit + 1)
              .execute()
          )
        },
        { readOnly: !isForeign },
      )
      const items = rows.slice(0, limit).map((row) => ({ ...row, at: row.at.toISOString() }))
      const last = items.at(-1)
      return { items, next_cursor: rows.length > limit && last ? auditCursorAfter(last.id) : null }
    },
  }
}

/** Of the resource and of what is in it; of a record, also what was done to it together with others. */
function within(resource: string) {
  const [backend, collection, id] = resource.split('/')
  const together =
    id === undefined
      ? sql<boolean>`false`
      : sql<boolean>`(resource = ${`${String(backend)}/${String(collection)}`} and details -> 'ids' ? ${id})`
  return sql<boolean>`(resource = ${resource} or starts_with(resource, ${`${resource}/`}) or ${together})`
}

function notAllowed(): Problem {
  return new Problem('insufficient_permission', "The permission audit.read is needed for another's audit.", {
    extensions: { permission: 'audit.read' },
  })
}
