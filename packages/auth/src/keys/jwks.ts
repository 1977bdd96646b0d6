import { unavailable } from '@waybill/service-kit'
import { importKeySet } from './key-set.ts'
import type { KeySource, VerificationKey } from './verification-key.ts'

export interface JwksOptions {
  /**
   * How old the set may grow before it is fetched anew, in milliseconds. Issuers publish a key before they sign with it:
   * this must be the shorter time, so that a new key is known when its first token comes.
   */
  maxAgeMs?: number
  /** The pause between two fetches, failed ones included, in milliseconds. Shorter than `maxAgeMs`. */
  cooldownMs?: number
  /** For how long the keys are believed while the issuer cannot be reached, in milliseconds. */
  maxStaleMs?: number
  now?: () => number
}

const MINUTE_MS = 60_000
/** Without any key nothing can be verified at all, so a first fetch that failed is tried again soon. */
const FIRST_RETRY_MS = 500

/**
 * The keys of an issuer (RFC 7517), fetched when they are first needed. One fetch at a time; a flood of unknown key ids
 * cannot make more than one per cool-down; keys once known are served while the issuer is down, or publishes none. What a
 * fetch that succeeded does not hold is forgotten: that is how an issuer takes a key back.
 */
export function createJwks(fetchDocument: () => Promise<unknown>, options: JwksOptions = {}): KeySource {
  const { maxAgeMs = MINUTE_MS, cooldownMs = MINUTE_MS / 2, now = Date.now } = options
  const { maxStaleMs = 24 * 60 * MINUTE_MS } = options
  let keys = new Map<string, VerificationKey>()
  let fetchedAt = Number.NEGATIVE_INFINITY
  let attemptedAt = Number.NEGATIVE_INFINITY
  let fetching: Promise<void> | undefined

  const load = async (): Promise<void> => {
    attemptedAt = now()
    const published = [...importKeySet(await fetchDocument()).values()]
    const usable = published.filter(({ key }) => key.type === 'public')
    // An issuer always has a key; without any the fetch has failed, and must not take away what verifies tokens.
    if (usable.length === 0) throw new Error('the key set holds no key that can be used')
    keys = new Map(usable.map((key) => [key.kid, key]))
    fetchedAt = now()
  }
  const refresh = (): Promise<void> => {
    // A failure is no news to whoever waits: the keys that are known serve on, and without any it is told below.
    fetching ??= load()
      .catch(() => undefined)
      .finally(() => (fetching = undefined))
    return fetching
  }
  const mayFetch = (): boolean =>
    now() - attemptedAt >= (keys.size === 0 ? Math.min(cooldownMs, FIRST_RETRY_MS) : cooldownMs)
  const age = (): void => {
    const ageMs = now() - fetchedAt
    if (ageMs > maxAgeMs && mayFetch()) void refresh()
    if (ageMs > maxAgeMs + maxStaleMs && keys.size > 0) keys = new Map()
  }

  return {
    async find(kid) {
      age()
      const known = keys.get(kid)
      if (known) return known
      if (fetching || mayFetch()) await refresh()
      if (keys.size === 0) throw unavailable('The issuer of tokens')
      return keys.get(kid)
    },
    holds(kid) {
      age()
      return keys.has(kid)
    },
  }
}
