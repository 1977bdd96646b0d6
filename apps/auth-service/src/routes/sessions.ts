import { open, signedIn } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { enforceQuotas, route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Accounts } from '../people/accounts.ts'
import type { IssuedToken } from '../keys/keyring.ts'
import type { Limits } from '../people/limits.ts'
import type { OpenSession, Sessions } from '../sessions/sessions.ts'

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
        const address = req.ip ?? ''
        enforceQuotas(res, await limits.logIn(body.username, address))
        return answer(await accounts.logIn(body.username, body.password, address))
      },
    }),

    route(authService.refresh, {
      auth: open('the refresh token in the body is the credential'),
      problems: ['invalid_token'],
      handle: async ({ body }) => answer(await sessions.refresh(body.refresh_token)),
    }),

    route(authService.logout, {
      auth: signedIn(),
      async handle({ principal }) {
        await sessions.end(principal)
        return undefined
      },
    }),

    route(authService.listSessions, {
      auth: signedIn(),
      handle: async ({ principal }) => ({
        sessions: (await sessions.list(principal)).map(({ id, createdAt, lastUsedAt, expiresAt }) => ({
          session_id: id,
          created_at: createdAt.toISOString(),
          last_used_at: lastUsedAt.toISOString(),
          expires_at: expiresAt.toISOString(),
          current: id === principal.sessionId,
        })),
      }),
    }),

    route(authService.revokeSession, {
      auth: signedIn(),
      problems: ['not_found'],
      async handle({ params, principal }) {
        await sessions.endOne(principal, params.session_id)
        return undefined
      },
    }),

    route(authService.revokeOtherSessions, {
      auth: signedIn(),
      handle: async ({ principal }) => ({ revoked: await sessions.endOthers(principal) }),
    }),
  ]
}
