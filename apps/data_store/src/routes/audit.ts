import { anyOf, user } from '@waybill/auth'
import { dataStore } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { AuditTrail } from '../audit/trail.ts'

export function auditRoutes(trail: AuditTrail): Route[] {
  return [
    route(dataStore.listAudit, {
      // Who may read everybody's need not be one who keeps records.
      auth: anyOf(user('memory.read'), user('audit.read')),
      problems: ['bad_request'],
      handle: ({ query: { request_id: requestId, ...query }, principal }) =>
        trail.list(principal, { ...query, requestId }),
    }),
  ]
}
