import { open, user } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Accounts } from '../accounts.ts'
import type { IssuedToken } from '../keyring.ts'
import type { Limits } from '../limits.ts'
import type { OpenSession, Sessions } from '../sessions.ts'
import { enforceQuotas } from './rate-limit.ts'

export interface SessionRooms {
  accounts: Accounts
  sessions: Sessions
  limits: Limits
  accessTokenFor: (session: OpenSession) => Promise<IssuedToken>
}

export function sessionRoutes({ accounts, sessions, limits, accessTokenFor }: SessionRooms): Route[] {
  const answer = async (session: OpenSession) => {
    const { token, expiresIn } = await accessTokenFor(session)
    return {
      access_token: token,
      refresh_token: session.refreshToken.reveal(),
      token_type: 'bearer' as const,
      expires_in: expiresIn,
      user_id: session.userId,
      username: session.username,
      role: session.role,
    }
  }
  return [
    route(authService.login, {
      auth: open('the password in the body is the credential'),
      problems: ['invalid_credentials', 'rate_limited', 'unavailable'],
      async handle({ body, req, res }) {
        enforceQuotas(res, await limits.logIn(body.username, req.ip ?? ''))
        return answer(await accounts.logIn(body.username, body.password))
      },
    }),

    route(authService.refresh, {
      auth: open('the refresh token in the body is the credential'),
      problems: ['invalid_token'],
      handle: async ({ body }) => answer(await sessions.refresh(body.refresh_token)),
    }),

    route(authService.logout, {
      auth: user(),
      async handle({ principal }) {
        await sessions.end(principal)
        return undefined
      },
    }),
  ]
}
