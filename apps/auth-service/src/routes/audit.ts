import { signedIn } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { ReadAudit } from '../audit/audit.ts'

export function auditRoutes({ readAudit }: { readAudit: ReadAudit }): Route[] {
  return [
    route(authService.audit, {
      auth: signedIn('auth.admin'),
      handle: ({ query }) => readAudit(query),
    }),
  ]
}
