import { randomUUID } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import type { CryptoKey } from 'jose'
import type { AccessTokenClaims } from './claims.ts'

/** A key that signs, with the id under which its public half is published. */
export interface SigningKey {
  kid: string
  alg: string
  /** The private half; of HS256 the secret itself. */
  privateKey: CryptoKey | KeyObject
}

type Issued = 'iat' | 'nbf' | 'exp' | 'jti'

/** What a token shall say; the times and the id are set when it is signed. */
export interface TokenGrant {
  claims: Omit<AccessTokenClaims, Issued>
  lifetimeSeconds: number
}

/**
 * A signed access token (RFC 9068) and how long it lives, in seconds. `nowSeconds` is the time of issue since the epoch.
 */
export async function signAccessToken(
  key: SigningKey,
  grant: TokenGrant,
  nowSeconds = Math.floor(Date.now() / 1000),
): Promise<{ token: string; expiresIn: number }> {
  const token = await new SignJWT({ ...grant.claims })
    .setProtectedHeader({ typ: 'at+jwt', alg: key.alg, kid: key.kid })
    .setIssuedAt(nowSeconds)
    .setNotBefore(nowSeconds)
    .setExpirationTime(nowSeconds + grant.lifetimeSeconds)
    .setJti(randomUUID())
    .sign(key.privateKey)
  return { token, expiresIn: grant.lifetimeSeconds }
}
