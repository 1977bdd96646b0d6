import { hash } from 'node:crypto'
import type { KeySource } from '../keys/verification-key.ts'
import { readAccessToken } from './access-token.ts'
import { checkClaims, checkTime } from './claims.ts'
import type { AccessTokenClaims, ClaimPolicy } from './claims.ts'
import { checkSignature } from './jws.ts'

export interface VerifierOptions extends ClaimPolicy {
  keys: KeySource
  /** How many verified tokens are remembered; 0 for none. */
  cacheSize: number
  /** The longest that a verified token is remembered, in milliseconds. */
  cacheTtlMs?: number
  /** What is believed no more, asked at each use of a token. */
  revocations?: { check(claims: AccessTokenClaims, kid: string): void }
  now?: () => number
}

export interface Verifier {
  /**
   * The claims of an access token that has been verified before and is remembered, at once; undefined for any other.
   * @throws Problem invalid_token for one that has expired or been revoked since, unavailable as `verify` does
   */
  recall(token: string): AccessTokenClaims | undefined
  /**
   * The claims of a valid access token; the same object each time, while the token is remembered.
   * @throws Problem invalid_token (401), or unavailable (503) when no key of the issuer could be had yet
   */
  verify(token: string): Promise<AccessTokenClaims>
}

interface Remembered {
  claims: AccessTokenClaims
  kid: string
  until: number
}

/**
 * A verifier for one policy: first the shape, then the signature with the one algorithm of the key that the token
 * names, then the claims. Verified tokens are remembered by digest, never by their text, which is malleable; and by this
 * verifier alone, since another may have other audiences. Time, revocations and the key are checked anew at each hit.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const { keys, cacheSize, cacheTtlMs = 60_000, skewSeconds, revocations, now = Date.now } = options
  const remembered = new Map<string, Remembered>()

  const remember = (digest: string, entry: Omit<Remembered, 'until'>): void => {
    if (cacheSize === 0) return
    const oldest = remembered.keys().next()
    if (remembered.size >= cacheSize && !oldest.done) remembered.delete(oldest.value)
    remembered.set(digest, { ...entry, until: now() + cacheTtlMs })
  }

  const recall = (digest: string): AccessTokenClaims | undefined => {
    const hit = remembered.get(digest)
    if (!hit) return undefined
    const nowMs = now()
    if (hit.until <= nowMs || keys.holds?.(hit.kid) === false) {
      remembered.delete(digest)
      return undefined
    }
    checkTime(hit.claims, skewSeconds, nowMs / 1000)
    revocations?.check(hit.claims, hit.kid)
    return hit.claims
  }

  return {
    recall: (token) => recall(digestOf(token)),
    async verify(token) {
      const digest = digestOf(token)
      const known = recall(digest)
      if (known) return known
      const { jws, payload } = readAccessToken(token)
      const { kid } = jws.header
      checkSignature(jws, await keys.find(kid))
      const claims = checkClaims(payload, options, now() / 1000)
      revocations?.check(claims, kid)
      remember(digest, { claims, kid })
      return claims
    },
  }
}

/** One character a byte: a key of a map that nobody reads. */
function digestOf(token: string): string {
  return hash('sha256', token, 'binary')
}
