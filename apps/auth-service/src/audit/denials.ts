import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import type { Denial } from '@waybill/service-kit'
import type { PermissionDecision } from '../people/permission-decision.ts'
import type { Schema } from '../store/schema.ts'

/** What was asked for and not allowed, written to the audit. */
export interface Denials {
  /** A request that was answered 403. */
  ofRequest(denial: Denial): Promise<void>
  /** A permission that was asked about and is not had. */
  ofPermission(
    denied: { permission: string; resource: string | null } & Pick<
      PermissionDecision,
      'decidedBy' | 'decider'
    >,
  ): Promise<void>
}

export function createDenials(database: Database<Schema>): Denials {
  return {
    ofRequest: ({ route: { method, path }, principal, problem }) =>
      database.withoutPrincipal((tx) =>
        recordAudit(tx, {
          action: 'access.denied',
          // The route and not the path, which holds whatever was sent.
          resource: `route/${method} ${path}`,
          outcome: 'denied',
          details: { code: problem.code, ...problem.extensions },
          principal,
        }),
      ),
    ofPermission: ({ permission, resource, decidedBy, decider }) =>
      database.withoutPrincipal((tx) =>
        recordAudit(tx, {
          action: 'permission.verify',
          resource: `permission/${permission}`,
          outcome: 'denied',
          details: { resource, decided_by: decidedBy, decider },
        }),
      ),
  }
}
