import { user } from '@waybill/auth'
import { dataStore } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { AuditTrail } from '../audit-trail.ts'

export function auditRoutes(trail: AuditTrail): Route[] {
  return [
    route(dataStore.listAudit, {
      auth: user('memory.read'),
      problems: ['bad_request'],
      handle: ({ query, principal }) => trail.list(principal, query),
    }),
  ]
}
