import { unavailable } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import type { authService } from '@waybill/contracts'
import type { Issuer } from '../issuer.ts'
import type { AccessTokenClaims } from '../token/claims.ts'
import { invalidToken } from '../token/invalid-token.ts'
import { pause } from './pause.ts'
import { createRevokedSet } from './revoked.ts'

export interface RevocationListOptions {
  /** The feed: those after a cursor, or all in force. */
  feed: Issuer['revocations']
  /** How long the feed may be silent before nothing is believed any more, in milliseconds; 0: for ever. */
  maxStaleMs: number
  /** How many revocations are kept. */
  capacity: number
  /** How much longer than until its `expires_at` one is kept, in seconds. */
  graceSeconds: number
  /** Called with each one that comes. */
  onRevoked?: (revocation: authService.Revocation) => void
  log?: Logger | undefined
  now?: () => number
}

export interface RevocationList {
  /**
   * `kid`: the key that signed the token.
   * @throws Problem invalid_token for what was revoked; unavailable when the feed has been silent too long
   */
  check(claims: AccessTokenClaims, kid: string): void
  /** @throws Problem unavailable before the feed was read once, and when it has been silent for longer than is allowed */
  assertHeard(): void
  /**
   * Follows the feed until `signal` aborts. `tried` resolves when it has been read, or could not be, for the first time;
   * neither rejects: a feed that is down is asked again, with pauses.
   */
  follow(signal: AbortSignal): { tried: Promise<unknown>; ended: Promise<void> }
}

const FIRST_RETRY_MS = 100
/** Short, so that news reaches this service within 2 s of the issuer's return. */
const LAST_RETRY_MS = 1_000
/** After an answer without news: a feed that does not wait for any must not be asked without end. */
const QUIET_MS = 100

/** What is believed no more, kept up to date by following the issuer's feed. */
export function createRevocationList(options: RevocationListOptions): RevocationList {
  const { feed, maxStaleMs, onRevoked, log, now = Date.now } = options
  const revoked = createRevokedSet(options)
  let heardAt = Number.NEGATIVE_INFINITY
  let cursor: string | undefined

  /** One answer of the feed; whether it held any news. */
  const listen = async (signal: AbortSignal, wait: boolean): Promise<boolean> => {
    const page = await feed(cursor, signal, wait)
    heardAt = now()
    cursor = page.cursor
    for (const revocation of page.revocations) {
      revoked.add(revocation, heardAt / 1000)
      onRevoked?.(revocation)
    }
    return page.revocations.length > 0
  }
  const assertHeard = (): void => {
    // Before the first page nobody here knows what was revoked while this process was not there.
    const isStale = maxStaleMs > 0 && now() - heardAt > maxStaleMs
    if (isStale || heardAt === Number.NEGATIVE_INFINITY) throw unavailable('The feed of revocations')
  }

  const follow = async (signal: AbortSignal, tried: () => void): Promise<void> => {
    const isOver = (): boolean => signal.aborted
    let retryMs = FIRST_RETRY_MS
    while (!isOver()) {
      const isWell = retryMs === FIRST_RETRY_MS
      try {
        // An issuer that comes back is to be heard at once, not when there is news.
        const hasNews = await listen(signal, isWell)
        tried()
        if (!isWell) log?.info('the feed of revocations is back')
        retryMs = FIRST_RETRY_MS
        if (!hasNews) await pause(QUIET_MS, signal)
      } catch (error) {
        tried()
        if (isOver()) return
        if (isWell) log?.warn({ err: error }, 'the feed of revocations cannot be read')
        await pause(retryMs, signal)
        retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)
      }
    }
  }

  return {
    assertHeard,
    check(claims, kid) {
      assertHeard()
      if (revoked.covers(claims, kid)) throw invalidToken('The credential has been revoked.')
    },
    follow(signal) {
      const tried = Promise.withResolvers<undefined>()
      const ended = follow(signal, () => {
        tried.resolve(undefined)
      })
      return { tried: tried.promise, ended }
    },
  }
}
