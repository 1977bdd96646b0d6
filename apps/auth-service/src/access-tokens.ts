import { permissionsOf } from '@waybill/auth'
import type { IssuedToken, Keyring } from './keyring.ts'
import type { SessionRow } from './store/sessions.ts'

export interface UserTokenOptions {
  keyring: Keyring
  issuer: string
  /** The platform's audience. */
  audience: string
  lifetimeSeconds: number
  /** Milliseconds since the epoch. */
  now: () => number
}

/** The client that people log in with, as `client_id` (RFC 9068) wants one. */
const CLIENT_ID = 'waybill'

/** The access token of a user's session (RFC 9068); it never outlives the session. */
export async function userToken(session: SessionRow, options: UserTokenOptions): Promise<IssuedToken> {
  const { keyring, issuer, audience, lifetimeSeconds, now } = options
  const remainingSeconds = Math.floor((session.expiresAt.getTime() - now()) / 1000)
  return keyring.sign({
    claims: {
      iss: issuer,
      aud: audience,
      sub: session.userId,
      client_id: CLIENT_ID,
      principal: 'user',
      scope: permissionsOf(session.role).join(' '),
      role: session.role,
      email: session.email,
      sid: session.id,
    },
    lifetimeSeconds: Math.max(1, Math.min(lifetimeSeconds, remainingSeconds)),
  })
}
