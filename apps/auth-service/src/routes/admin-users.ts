import { signedIn } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { ManagedUser, Users } from '../people/users.ts'
import { describedUser } from './accounts.ts'

export function adminUserRoutes({ users }: { users: Users }): Route[] {
  const admin = signedIn('auth.admin')
  return [
    route(authService.listUsers, {
      auth: admin,
      async handle({ query, principal }) {
        // One more than asked for tells whether there is another page.
        const found = await users.list(principal, { ...query, limit: query.limit + 1 })
        const items = found.slice(0, query.limit)
        const next = found.length > query.limit ? items.at(-1)?.id : undefined
        return { items: items.map(described), next_cursor: next ?? null }
      },
    }),

    route(authService.getUser, {
      auth: admin,
      problems: ['not_found'],
      handle: async ({ params, principal }) => described(await users.get(principal, params.user_id)),
    }),

    route(authService.updateUser, {
      auth: admin,
      problems: ['not_found', 'conflict', 'unavailable'],
      async handle({ params, body, principal }) {
        const { tenant_id: tenantId, ...rest } = body
        return described(await users.update(principal, params.user_id, { ...rest, tenantId }))
      },
    }),

    route(authService.unlockUser, {
      auth: admin,
      problems: ['not_found'],
      handle: async ({ params, principal }) => described(await users.unlock(principal, params.user_id)),
    }),

    route(authService.endUserSessions, {
      auth: admin,
      problems: ['not_found'],
      handle: async ({ params, principal }) => ({
        revoked: await users.endSessions(principal, params.user_id),
      }),
    }),
  ]
}

function described(account: ManagedUser) {
  return {
    ...describedUser(account),
    disabled_at: account.disabledAt?.toISOString() ?? null,
    locked_until: account.lockedUntil?.toISOString() ?? null,
  }
}
