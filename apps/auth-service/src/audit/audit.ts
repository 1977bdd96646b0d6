import type { authService } from '@waybill/contracts'
import type { Database } from '@waybill/database'
import { listAudit, readAuditHead } from '../store/audit.ts'
import type { AuditFilter, AuditHead } from '../store/audit.ts'
import type { Schema } from '../store/schema.ts'

/** What has happened, for whoever may know, and the end of its chain. */
export type ReadAudit = (filter: AuditFilter) => Promise<{ rows: authService.AuditRow[]; head: AuditHead }>

export function createReadAudit(database: Database<Schema>): ReadAudit {
  return (filter) =>
    database.withoutPrincipal(
      // The head first: rows that are written in between come after it.
      async (tx) => ({ head: await readAuditHead(tx), rows: await listAudit(tx, filter) }),
      { readOnly: true },
    )
}
