import { permissionsOf } from '@waybill/auth'
import type { AccessTokenClaims } from '@waybill/auth'
import type { authService } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'
import { USER_CLIENT_ID } from '../sessions/access-tokens.ts'
import type { Client } from './grants.ts'
import type { HeldSessions } from '../sessions/held-sessions.ts'
import type { HeldSession } from '../store/held-sessions.ts'
import { isOfPlatform } from './subjects.ts'
import type { Subjects } from './subjects.ts'

/** Tells a service what a credential is worth at this moment (RFC 7662). */
export type Introspect = (client: Pick<Client, 'name'>, token: Secret) => Promise<authService.Introspection>

export interface IntrospectionOptions {
  subjects: Subjects
  heldSessions: HeldSessions
  issuer: string
}

const INACTIVE = { active: false } as const

export function createIntrospection({ subjects, heldSessions, issuer }: IntrospectionOptions): Introspect {
  return async (client, token) => {
    const text = token.reveal()
    const isUsers = text.startsWith('rt_') || text.startsWith('wb_')
    if (isUsers && !isOfPlatform(client.name)) return INACTIVE
    // Each kind has its own beginning, so what a hint says makes no difference.
    if (text.startsWith('rt_')) {
      const held = await heldSessions.find(token)
      return held ? ofRefreshToken(held, issuer) : INACTIVE
    }
    const isKey = text.startsWith('wb_')
    const claims = await (isKey ? subjects.apiKey(token) : subjects.accessToken(client.name, token)).catch(
      notValid,
    )
    if (!claims) return INACTIVE
    if (!isKey) return { active: true, token_type: 'access_token', ...claims }
    // A key is no token: it has no id of one, and is for nobody in particular.
    const { jti: _jti, aud: _aud, nbf: _nbf, ...known } = claims
    return { active: true, token_type: 'api_key', ...known }
  }
}

function ofRefreshToken(
  { userId, role, email, sessionId, issuedAt, expiresAt }: HeldSession,
  issuer: string,
): authService.Introspection {
  return {
    active: true,
    token_type: 'refresh_token',
    iss: issuer,
    sub: userId,
    principal: 'user',
    client_id: USER_CLIENT_ID,
    scope: permissionsOf(role).join(' '),
    ...{ role, email },
    sid: sessionId,
    iat: Math.floor(issuedAt.getTime() / 1000),
    exp: Math.floor(expiresAt.getTime() / 1000),
  }
}

function notValid(error: unknown): AccessTokenClaims | undefined {
  if (error instanceof Problem && error.code === 'invalid_token') return undefined
  throw error
}
