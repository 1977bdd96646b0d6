import { open, signedIn, user } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { enforceQuotas, route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Accounts } from '../people/accounts.ts'
import type { Limits } from '../people/limits.ts'
import type { PasswordChange } from '../people/password-change.ts'
import type { User } from '../store/users.ts'

export interface AccountRooms {
  accounts: Accounts
  changePassword: PasswordChange
  limits: Limits
}

export function accountRoutes({ accounts, changePassword, limits }: AccountRooms): Route[] {
  return [
    route(authService.register, {
      auth: open('who registers has no account yet'),
      problems: ['conflict', 'rate_limited', 'unavailable'],
      async handle({ body, req, res }) {
        const { username, email, password, full_name: fullName } = body
        const admit = async () => enforceQuotas(res, await limits.register(req.ip ?? ''))
        return describedUser(await accounts.register({ username, email, password, fullName }, admit))
      },
    }),

    route(authService.me, {
      auth: user(),
      async handle({ principal }) {
        return {
          ...describedUser(await accounts.profile(principal)),
          permissions: [...principal.permissions],
          session_id: principal.sessionId ?? '',
        }
      },
    }),

    route(authService.changePassword, {
      auth: signedIn(),
      problems: ['invalid_credentials', 'rate_limited', 'unavailable', 'conflict'],
      async handle({ body, principal, req, res }) {
        enforceQuotas(res, await limits.changePassword(principal.userId))
        const { current_password: current, new_password: next } = body
        await changePassword(principal, { current, next, address: req.ip ?? '' })
        return undefined
      },
    }),
  ]
}

/** A user as it is told to that user. */
export function describedUser({ id, username, email, fullName, role, tier, tenantId, createdAt }: User) {
  return {
    ...{ user_id: id, username, email, full_name: fullName, role, tier },
    ...(tenantId !== null && { tenant_id: tenantId }),
    created_at: createdAt.toISOString(),
  }
}
