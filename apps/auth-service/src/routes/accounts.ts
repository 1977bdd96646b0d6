import { open, user } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Accounts } from '../accounts.ts'
import type { Limits } from '../limits.ts'
import type { User } from '../store/users.ts'
import { enforceQuotas } from './rate-limit.ts'

export interface AccountRooms {
  accounts: Accounts
  limits: Limits
}

export function accountRoutes({ accounts, limits }: AccountRooms): Route[] {
  return [
    route(authService.register, {
      auth: open('who registers has no account yet'),
      problems: ['conflict', 'rate_limited', 'unavailable'],
      async handle({ body, req, res }) {
        enforceQuotas(res, await limits.register(req.ip ?? ''))
        const { username, email, password, full_name: fullName } = body
        return described(await accounts.register({ username, email, password, fullName }))
      },
    }),

    route(authService.me, {
      auth: user(),
      async handle({ principal }) {
        return {
          ...described(await accounts.profile(principal)),
          permissions: [...principal.permissions],
          session_id: principal.sessionId ?? '',
        }
      },
    }),
  ]
}

function described({ id, username, email, fullName, role, createdAt }: User) {
  return { user_id: id, username, email, full_name: fullName, role, created_at: createdAt.toISOString() }
}
