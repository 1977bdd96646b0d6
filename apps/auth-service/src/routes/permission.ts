import { user } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Denials } from '../audit/denials.ts'
import { decidePermission } from '../people/permission-decision.ts'

export function permissionRoutes({ denials }: { denials: Denials }): Route[] {
  return [
    route(authService.verifyPermission, {
      auth: user(),
      async handle({ body, principal }) {
        const { permission, resource = null } = body
        const { allowed, decidedBy, decider, reason } = decidePermission(principal, permission)
        if (!allowed) await denials.ofPermission({ permission, resource, decidedBy, decider })
        return { allowed, permission, resource, decided_by: decidedBy, decider, reason }
      },
    }),
  ]
}
