import { permissionsOf } from '@waybill/auth'
import { Problem } from '@waybill/service-kit'
import type { IssuedToken, Keyring } from '../keys/keyring.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { SessionRow } from '../store/sessions.ts'

export interface UserTokenOptions {
  keyring: Keyring
  revocations: Revocations
  issuer: string
  /** The platform's audience. */
  audience: string
  lifetimeSeconds: number
  /** Milliseconds since the epoch. */
  now: () => number
}

/** The client that people log in with, as `client_id` (RFC 9068) wants one. */
export const USER_CLIENT_ID = 'waybill'

/**
 * The access token of a user's session (RFC 9068); it never outlives the session. What it says of the user is read anew,
 * together with when it may have been issued, so that a change of the user and this token cannot miss each other.
 * @throws Problem invalid_token when the user has been disabled
 */
export async function userToken(
  session: Pick<SessionRow, 'id' | 'userId' | 'expiresAt'>,
  options: UserTokenOptions,
): Promise<IssuedToken> {
  const { keyring, revocations, issuer, audience, lifetimeSeconds, now } = options
  const decidedAt = now() / 1000
  const user = await revocations.atIssue(session.userId)
  if (!user) throw new Problem('invalid_token', 'The session has ended.')
  const remainingSeconds = Math.floor(session.expiresAt.getTime() / 1000 - decidedAt)
  const grant = {
    claims: {
      iss: issuer,
      aud: audience,
      sub: session.userId,
      client_id: USER_CLIENT_ID,
      principal: 'user' as const,
      scope: permissionsOf(user.role).join(' '),
      role: user.role,
      email: user.email,
      tier: user.tier,
      ...(user.tenantId !== null && { tenant_id: user.tenantId }),
      sid: session.id,
    },
    lifetimeSeconds: Math.max(1, Math.min(lifetimeSeconds, remainingSeconds)),
  }
  return keyring.sign(grant, { decidedAt, earliestIssue: user.earliestIssue })
}
