import type { AccessTokenClaims } from '@waybill/auth'
import type { authService } from '@waybill/contracts'
import type { Database, Transaction } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import { createRevocationWatch } from './revocation-watch.ts'
import {
  insertRevocations,
  insertUserRevocation,
  isRevoked,
  lockRevocations,
  findUserAtIssue,
  listRevocations,
  newestCursor,
} from '../store/revocations.ts'
import type { Schema } from '../store/schema.ts'

/** What is told of by its id alone. */
type Kind = Exclude<authService.Revocation['kind'], 'user'>

/** A user, as its tokens describe it. */
export interface TokenUser {
  role: string
  email: string
  tier: string
  tenantId: string | null
  /** The earliest `iat` that is not revoked, in seconds since the epoch; 0 for any. */
  earliestIssue: number
}

/** A revocation of what a user was issued, written and not yet committed. */
export interface Recorded {
  /**
   * To be called last in the transaction: whoever is issued a token meanwhile still gets it by what is about to change,
   * and it must not be later than the moment that was written.
   * @throws Problem unavailable, so that nothing changes, when that took too long
   */
  refuseLate(): void
}

/** What is believed no more: written with the change that it comes from, and followed by every service. */
export interface Revocations {
  /**
   * Tells every service, once `tx` is committed, to believe no more: the tokens of sessions, single tokens, those of API
   * keys, or what a signing key has signed. In the transaction of the change itself, last in it but for the audit.
   */
  record(tx: Transaction<Schema>, kind: Kind, id: string | readonly string[]): Promise<void>
  /**
   * As `record`, for all that a user was issued until now. Each comes later than the one before it, by a second at least.
   * @throws Problem unavailable, so that nothing changes, when so many came that new tokens would seem to be from the future
   */
  recordUser(tx: Transaction<Schema>, userId: string): Promise<Recorded>
  /** Those after `cursor`, or all in force; waits up to `waitSeconds` for the first, and gives up with `signal`. */
  after(
    cursor: string | undefined,
    waitSeconds: number,
    signal: AbortSignal,
  ): Promise<authService.RevocationPage>
  /** Whether anything that the token has is revoked, by the database itself. */
  cover(tx: Transaction<Schema>, claims: AccessTokenClaims): Promise<boolean>
  /** What a new token of the user says; undefined when the user is gone or disabled. */
  atIssue(userId: string): Promise<TokenUser | undefined>
  /** Follows the table until `signal` aborts, which also ends every waiting. */
  start(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

export interface RevocationsOptions {
  database: Database<Schema>
  log: Logger
  /** How long a revocation stays in force: the longest life of any token, in seconds. */
  lifetimeSeconds: number
  /** By how much clocks may differ: what verifiers tolerate of an `iat` that is ahead, in seconds. */
  skewSeconds: number
  /** Milliseconds since the epoch. */
  now: () => number
}

/** The most revocations in one answer; whoever gets as many asks again at once. */
const PAGE = 1000

/**
 * What was decided before a revocation of a user's tokens may be signed shortly after it, and the clocks of two instances
 * differ a little; tokens issued later carry an `iat` that is as much ahead, within any verifier's tolerance. In seconds.
 */
const USER_MARGIN_SECONDS = 2

export function createRevocations(options: RevocationsOptions): Revocations {
  const { database, log, lifetimeSeconds, now } = options
  const marginSeconds = Math.min(USER_MARGIN_SECONDS, options.skewSeconds)
  // The other half of the tolerance is for clocks that do differ.
  const aheadSeconds = Math.max(marginSeconds, Math.floor(options.skewSeconds / 2))
  const watch = createRevocationWatch({ database, log, now })

  const read = (cursor = '0'): Promise<authService.RevocationPage> =>
    database.withoutPrincipal(
      async (tx) => {
        // Asked first, so that what is committed in between is in the list and not behind the cursor.
        const newest = await newestCursor(tx)
        // A cursor from the future is one of another database: of this one, restored to an earlier state, say.
        const from = BigInt(cursor) > BigInt(newest) ? '0' : cursor
        const rows = await listRevocations(tx, from, new Date(now()), PAGE)
        const last = rows.at(-1)?.cursor ?? '0'
        const end = rows.length === PAGE || BigInt(last) > BigInt(newest) ? last : newest
        return { cursor: end, revocations: rows.map(told) }
      },
      { readOnly: true },
    )

  const expiryAt = (nowMs: number): Date => new Date(nowMs + lifetimeSeconds * 1000)

  return {
    async record(tx, kind, id) {
      await lockRevocations(tx)
      await insertRevocations(tx, { kind, subjects: [id].flat(), expiresAt: expiryAt(now()) })
      watch.expect()
    },

    async recordUser(tx, userId) {
      await lockRevocations(tx)
      // Not before the lock, which may have been waited for.
      const nowMs = now()
      const atMs = Math.ceil(nowMs / 1000) * 1000
      const earliest = new Date(atMs + marginSeconds * 1000)
      const notBefore = await insertUserRevocation(tx, {
        ...{ userId, notBefore: earliest, expiresAt: expiryAt(nowMs) },
      })
      if (notBefore.getTime() > atMs + aheadSeconds * 1000) {
        throw nothingChanged('The user was changed too often within a moment')
      }
      watch.expect()
      // Half of the margin is for the commit itself, and for clocks that differ.
      const latestMs = notBefore.getTime() - marginSeconds * 500
      return {
        refuseLate() {
          if (now() > latestMs) throw nothingChanged('The change took too long')
        },
      }
    },

    async after(cursor, waitSeconds, signal) {
      const page = await read(cursor)
      const isNews = page.revocations.length > 0 || page.cursor !== cursor
      if (isNews || waitSeconds <= 0) return page
      await watch.newsAfter(page.cursor, waitSeconds * 1000, signal)
      signal.throwIfAborted()
      return read(cursor)
    },

    cover: (tx, claims) =>
      isRevoked(tx, {
        sessionId: claims.sid,
        tokenIds: [claims.jti, claims.origin_jti].filter((id) => id !== undefined),
        apiKeyId: claims.key_id,
        userId: claims.principal === 'user' ? claims.sub : undefined,
        issuedAt: new Date(claims.iat * 1000),
      }),

    async atIssue(userId) {
      const user = await database.withoutPrincipal((tx) => findUserAtIssue(tx, userId), { readOnly: true })
      if (!user) return undefined
      const { notBefore, ...facts } = user
      return { ...facts, earliestIssue: notBefore === null ? 0 : seconds(notBefore) }
    },

    start: (signal) => watch.start(signal),
    close: () => watch.close(),
  }
}

function told({
  kind,
  subject,
  notBefore,
  expiresAt,
}: {
  kind: authService.Revocation['kind']
  subject: string
  notBefore: Date | null
  expiresAt: Date
}): authService.Revocation {
  return {
    kind,
    id: subject,
    ...(notBefore && { not_before: seconds(notBefore) }),
    expires_at: seconds(expiresAt),
  }
}

function nothingChanged(why: string): Problem {
  return new Problem('unavailable', `${why}, and nothing was changed.`, { headers: { 'Retry-After': '1' } })
}

function seconds(date: Date): number {
  return Math.ceil(date.getTime() / 1000)
}
