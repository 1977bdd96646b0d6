import { createHash } from 'node:crypto'
import { compactVerify } from 'jose'
import { checkClaims, checkTime } from './claims.ts'
import type { AccessTokenClaims, ClaimPolicy } from './claims.ts'
import type { KeySource } from './jwks.ts'
import { invalidToken, readShape } from './token-shape.ts'

export interface VerifierOptions extends ClaimPolicy {
  keys: KeySource
  /** How many verified tokens are remembered; 0 for none. */
  cacheSize: number
  /** The longest that a verified token is remembered, in milliseconds. */
  cacheTtlMs?: number
  now?: () => number
}

export interface Verifier {
  /**
   * The claims of a valid access token.
   * @throws Problem invalid_token (401), or unavailable (503) when no key of the issuer could be had yet
   */
  verify(token: string): Promise<AccessTokenClaims>
}

interface Remembered {
  claims: AccessTokenClaims
  until: number
}

/**
 * A verifier for one policy: first the shape, then the signature with the one algorithm of the key that the token
 * names, then the claims. Verified tokens are remembered by digest, never by their text, which is malleable; time is
 * checked anew at each hit.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const { keys, cacheSize, cacheTtlMs = 60_000, skewSeconds, now = Date.now } = options
  const remembered = new Map<string, Remembered>()

  const remember = (digest: string, claims: AccessTokenClaims): void => {
    if (cacheSize === 0) return
    const oldest = remembered.keys().next()
    if (remembered.size >= cacheSize && !oldest.done) remembered.delete(oldest.value)
    remembered.set(digest, { claims, until: now() + cacheTtlMs })
  }

  return {
    async verify(token) {
      const digest = createHash('sha256').update(token).digest('base64url')
      const hit = remembered.get(digest)
      if (hit && hit.until > now()) {
        checkTime(hit.claims, skewSeconds, now() / 1000)
        return hit.claims
      }
      remembered.delete(digest)
      const { header, payload } = readShape(token)
      const key = await keys.find(header.kid)
      if (key?.alg !== header.alg) throw invalidToken('The token is signed with a key that is not known.')
      await compactVerify(token, key.key, { algorithms: [key.alg] }).catch(() => {
        throw invalidToken('The signature is not valid.')
      })
      const claims = checkClaims(payload, options, now() / 1000)
      remember(digest, claims)
      return claims
    },
  }
}
