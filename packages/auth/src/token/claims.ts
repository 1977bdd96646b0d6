import { z } from 'zod'
import { invalidToken } from './invalid-token.ts'

/** RFC 8693 section 4.1: the current actor outside, earlier ones nested within. */
export interface ActorClaim {
  sub: string
  act?: ActorClaim
}

const text = z.string().min(1).max(256)
const actor: z.ZodType<ActorClaim> = z.strictObject({ sub: text, act: z.lazy(() => actor).optional() })
const seconds = z.number().int().nonnegative()

/** The claims of a Waybill access token (RFC 9068, and RFC 8693 for `act`); all but the optional ones must be there, and no others are read. */
const claimsSchema = z.object({
  iss: text,
  aud: z.union([text, z.array(text).min(1).max(16)]),
  sub: text,
  client_id: text,
  iat: seconds,
  nbf: seconds,
  exp: seconds,
  jti: text,
  scope: z.string().max(4096),
  /** Whether `sub` is a person or a service: never guessed from its form. */
  principal: z.enum(['user', 'service']),
  role: text.optional(),
  email: text.optional(),
  sid: text.optional(),
  tenant_id: text.optional(),
  workspace_id: text.optional(),
  act: actor.optional(),
  /** The `jti` of the token at the beginning of the chain: when that one is revoked, so are all that were made from it. */
  origin_jti: text.optional(),
  /** The API key that the user came with at the first service; then there is no session. */
  key_id: text.optional(),
  tier: text.optional(),
  /** The certificate without which the token is worth nothing (RFC 8705 section 3.1). */
  cnf: z.strictObject({ 'x5t#S256': z.string().regex(/^[\w-]{43}$/) }).optional(),
})

export type AccessTokenClaims = z.output<typeof claimsSchema>

export interface ClaimPolicy {
  issuer: string
  /** Any of these in `aud` will do. */
  audiences: readonly string[]
  /** Tolerance on `exp`, `nbf` and `iat`, in seconds. */
  skewSeconds: number
  /** The longest life that is believed, in seconds. */
  maxLifetimeSeconds: number
}

/**
 * The claims of a token whose signature has been verified, held against `policy`. `nowSeconds` is the time since the
 * epoch in seconds.
 * @throws Problem invalid_token naming the claim that is missing or wrong
 */
export function checkClaims(payload: unknown, policy: ClaimPolicy, nowSeconds: number): AccessTokenClaims {
  const result = claimsSchema.safeParse(payload)
  if (!result.success)
    throw invalidToken(`The claim ${result.error.issues[0]?.path.join('.') ?? ''} is missing or wrong.`)
  const claims = result.data
  if (claims.iss !== policy.issuer) throw invalidToken('The token is from another issuer.')
  if (!audiencesOf(claims).some((audience) => policy.audiences.includes(audience))) {
    throw invalidToken('The token is for another audience.')
  }
  if (claims.exp - claims.iat > policy.maxLifetimeSeconds)
    throw invalidToken('The token lives longer than is accepted.')
  if (claims.iat > nowSeconds + policy.skewSeconds) throw invalidToken('The token is from the future.')
  checkTime(claims, policy.skewSeconds, nowSeconds)
  return claims
}

/** The part of the check that time can change, for tokens that were verified before. */
export function checkTime(claims: AccessTokenClaims, skewSeconds: number, nowSeconds: number): void {
  if (claims.exp <= nowSeconds - skewSeconds) throw invalidToken('The token has expired.')
  if (claims.nbf > nowSeconds + skewSeconds) throw invalidToken('The token is not valid yet.')
}

export function audiencesOf(claims: AccessTokenClaims): string[] {
  return typeof claims.aud === 'string' ? [claims.aud] : claims.aud
}

export function scopesOf(claims: AccessTokenClaims): string[] {
  return claims.scope.split(' ').filter(Boolean)
}

/** The services in an actor chain, nearest first. */
export function actorsOf(act: ActorClaim | undefined): string[] {
  const actors: string[] = []
  for (let current = act; current; current = current.act) actors.push(current.sub)
  return actors
}
