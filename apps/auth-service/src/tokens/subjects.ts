import { createVerifier } from '@waybill/auth'
import type { AccessTokenClaims, KeySource, Verifier } from '@waybill/auth'
import { SERVICES } from '@waybill/contracts'
import type { Database } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { Credential, Secret } from '@waybill/service-kit'
import { USER_CLIENT_ID } from '../sessions/access-tokens.ts'
import type { ResolvedKey, ResolveKey } from '../api-keys/resolved-key.ts'
import type { Revocations } from '../revocations/revocations.ts'
import { sessionLives } from '../store/sessions.ts'
import type { Schema } from '../store/schema.ts'

export interface SubjectsOptions {
  database: Database<Schema>
  keys: KeySource
  revocations: Revocations
  resolveKey: ResolveKey
  rules: { issuer: string; platformAudience: string; skewSeconds: number; maxLifetimeSeconds: number }
  /** Milliseconds since the epoch. */
  now: () => number
}

/** What a service holds of somebody else's, taken by what the database says of it at this moment. */
export interface Subjects {
  /**
   * The claims of an access token that was issued for `client` or, if that is a service of the platform, for users at
   * large, and that is not revoked.
   * @throws Problem invalid_token
   */
  accessToken(client: string, token: Secret): Promise<AccessTokenClaims>
  /**
   * As `accessToken`, and what was issued to `client`, for whomever.
   * @throws Problem invalid_token; insufficient_permission for a good token that is another's
   */
  accessTokenOfAnyUse(client: string, token: Secret): Promise<AccessTokenClaims>
  /** What an API key stands for, as the claims of a token that it could be. @throws Problem invalid_token */
  apiKey(key: Secret): Promise<AccessTokenClaims>
  /**
   * The claims of whom a client acts for, and the earliest `iat` of a token that is made from them, in seconds since the
   * epoch. `decidedAt`: the time before this question.
   * @throws Problem invalid_token
   */
  ofExchange(
    client: string,
    credential: Credential,
    decidedAt: number,
  ): Promise<{ claims: AccessTokenClaims; earliestIssue: number }>
}

export function createSubjects(options: SubjectsOptions): Subjects {
  const { database, keys, revocations, resolveKey, rules, now } = options

  const verifiers = new Map<string, Verifier>()
  const verifierFor = (audiences: readonly string[]): Verifier => {
    const name = audiences.join(' ')
    const known = verifiers.get(name)
    if (known) return known
    const verifier = createVerifier({
      ...{ keys, audiences, now, cacheSize: 0 },
      issuer: rules.issuer,
      skewSeconds: rules.skewSeconds,
      maxLifetimeSeconds: rules.maxLifetimeSeconds,
    })
    verifiers.set(name, verifier)
    return verifier
  }

  const verified = async (audiences: readonly string[], token: Secret): Promise<AccessTokenClaims> => {
    const claims = await verifierFor(audiences).verify(token.reveal())
    const isOfSession = claims.principal === 'user' && claims.key_id === undefined
    const [hasEnded, isRevoked] = await database.withoutPrincipal(
      async (tx) => [
        isOfSession && !(claims.sid !== undefined && (await sessionLives(tx, claims.sid))),
        await revocations.cover(tx, claims),
      ],
      { readOnly: true },
    )
    if (hasEnded) throw new Problem('invalid_token', 'The session of the token has ended.')
    if (isRevoked) throw new Problem('invalid_token', 'The token is revoked.')
    return claims
  }

  /** What is for users at large is for none but the services of the platform, whatever another client is called. */
  const audiencesFor = (client: string): string[] =>
    isOfPlatform(client)
      ? [client, rules.platformAudience]
      : [client].filter((name) => name !== rules.platformAudience)

  const accessToken: Subjects['accessToken'] = (client, token) => verified(audiencesFor(client), token)

  const apiKey: Subjects['apiKey'] = async (key) => {
    const resolved = await resolveKey(key)
    if (!resolved) throw new Problem('invalid_token', 'The API key is not valid.')
    return claimsOf(resolved, rules)
  }

  return {
    accessToken,
    apiKey,

    async accessTokenOfAnyUse(client, token) {
      const claims = await verified([client, rules.platformAudience, ...SERVICES], token)
      const own = audiencesFor(client)
      const isForClient = [claims.aud].flat().some((audience) => own.includes(audience))
      const isOfClient = claims.client_id === client && client !== USER_CLIENT_ID
      if (isForClient || isOfClient) return claims
      throw new Problem('insufficient_permission', 'The token was issued neither to this client nor for it.')
    },

    async ofExchange(client, { type, secret }, decidedAt) {
      if (type === 'access-token') {
        const claims = await accessToken(client, secret)
        return { claims, earliestIssue: claims.iat }
      }
      const claims = await apiKey(secret)
      const user = await revocations.atIssue(claims.sub)
      if (!user) throw new Problem('invalid_token', 'The API key is not valid.')
      const { earliestIssue } = user
      // The user has just been changed: what the key was looked up with may be from before.
      return { claims: earliestIssue > decidedAt ? await apiKey(secret) : claims, earliestIssue }
    },
  }
}

/** Those serve users, and so may ask what any user's credential is worth; other clients have their own tokens only. */
export function isOfPlatform(client: string): boolean {
  return SERVICES.some((service) => service === client)
}

function claimsOf(
  { keyId, user, permissions, createdAt, expiresAt }: ResolvedKey,
  { issuer, platformAudience }: SubjectsOptions['rules'],
): AccessTokenClaims {
  const issuedAt = Math.floor(createdAt.getTime() / 1000)
  return {
    iss: issuer,
    aud: platformAudience,
    sub: user.id,
    client_id: USER_CLIENT_ID,
    principal: 'user',
    scope: permissions.join(' '),
    role: user.role,
    email: user.email,
    tier: user.tier,
    ...(user.tenantId !== null && { tenant_id: user.tenantId }),
    key_id: keyId,
    iat: issuedAt,
    nbf: issuedAt,
    exp: Math.floor(expiresAt.getTime() / 1000),
    jti: keyId,
  }
}
