import { unavailable } from '@waybill/service-kit'
import { importJWK } from 'jose'
import type { CryptoKey, JWK } from 'jose'
import { z } from 'zod'

/** A key that can verify signatures of exactly one algorithm. */
export interface VerificationKey {
  kid: string
  alg: string
  key: CryptoKey
}

/** Where a verifier finds the key that a token names; undefined when there is none of that id. */
export interface KeySource {
  find(kid: string): Promise<VerificationKey | undefined>
}

export interface JwksOptions {
  /** How old the set may grow before it is fetched anew, in milliseconds. */
  maxAgeMs?: number
  /** The pause between two fetches, failed ones included, in milliseconds. */
  cooldownMs?: number
  now?: () => number
}

/** Algorithms by key type: a key's own `alg` must be among those of its type, and none of them is symmetric. */
const ALGORITHMS = new Map([
  ['EC', ['ES256', 'ES384', 'ES512']],
  ['RSA', ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
  ['OKP', ['EdDSA', 'Ed25519']],
])

const documentSchema = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) })

/**
 * The keys of an issuer (RFC 7517), fetched when they are first needed. One fetch at a time; a flood of unknown key ids
 * cannot make more than one per cool-down; keys once known are served while the issuer is down, or publishes none.
 */
export function createJwks(fetchDocument: () => Promise<unknown>, options: JwksOptions = {}): KeySource {
  const { maxAgeMs = 600_000, cooldownMs = 30_000, now = Date.now } = options
  let keys = new Map<string, VerificationKey>()
  let fetchedAt = Number.NEGATIVE_INFINITY
  let attemptedAt = Number.NEGATIVE_INFINITY
  let fetching: Promise<void> | undefined

  const refresh = (): Promise<void> => {
    fetching ??= load().finally(() => (fetching = undefined))
    return fetching
  }
  const load = async (): Promise<void> => {
    attemptedAt = now()
    const fetched = await importKeys(await fetchDocument())
    // An issuer always has a key; without any the fetch has failed, and must not take away what verifies tokens.
    if (fetched.size === 0) throw new Error('the key set holds no key that can be used')
    keys = fetched
    fetchedAt = now()
  }
  // Without any key nothing can be verified at all, so a first fetch that failed is tried again soon.
  const mayFetch = (): boolean =>
    now() - attemptedAt >= (keys.size === 0 ? Math.min(cooldownMs, 500) : cooldownMs)

  return {
    async find(kid) {
      const known = keys.get(kid)
      if (known) {
        if (now() - fetchedAt > maxAgeMs && mayFetch()) refresh().catch(() => undefined)
        return known
      }
      if (fetching || mayFetch()) await refresh().catch(() => undefined)
      if (keys.size === 0) throw unavailable('The issuer of tokens')
      return keys.get(kid)
    },
  }
}

async function importKeys(document: unknown): Promise<Map<string, VerificationKey>> {
  const keys = new Map<string, VerificationKey>()
  for (const jwk of documentSchema.parse(document).keys) {
    // A set may hold keys for other uses; what does not fit is passed over, not an error (RFC 7517 section 5).
    const key = await importKey(jwk).catch(() => undefined)
    if (key) keys.set(key.kid, key)
  }
  return keys
}

async function importKey(jwk: JWK): Promise<VerificationKey | undefined> {
  const { kid, alg, kty = '', use = 'sig' } = jwk
  if (typeof kid !== 'string' || alg === undefined || use !== 'sig') return undefined
  if (!ALGORITHMS.get(kty)?.includes(alg)) return undefined
  const key = await importJWK(jwk, alg)
  // A private key where only public ones belong cannot verify anything.
  return key instanceof Uint8Array || key.type !== 'public' ? undefined : { kid, alg, key }
}
