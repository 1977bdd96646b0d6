import type { AccessTokenClaims } from '@waybill/auth'
import type { authService } from '@waybill/contracts'
import type { Database, Transaction } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import { createRevocationWatch } from './revocation-watch.ts'
import {
  insertRevocations,
  isRevoked,
  lockRevocations,
  findUserAtIssue,
  listRevocations,
  newestCursor,
} from './store/revocations.ts'
import type { Schema } from './store/schema.ts'

type Kind = authService.Revocation['kind']

/** A user, as its tokens describe it. */
export interface TokenUser {
  role: string
  email: string
  tier: string
  /** The earliest `iat` that is not revoked, in seconds since the epoch; 0 for any. */
  earliestIssue: number
}

/** A revocation that is written and not yet committed. */
export interface Recorded {
  /**
   * To be called last in the transaction of a user's revocation: whoever is issued a token meanwhile still gets it by
   * what is about to change, and it must not be later than the moment that was written.
   * @throws Problem unavailable, so that nothing changes, when that took too long
   */
  refuseLate(): void
}

/** What is believed no more: written with the change that it comes from, and followed by every service. */
export interface Revocations {
  /**
   * Tells every service, once `tx` is committed, to believe no more: the tokens of sessions, single tokens, those of API
   * keys, or those of users issued until now. In the transaction of the change itself, last in it but for the audit.
   */
  record(tx: Transaction<Schema>, kind: Kind, id: string | readonly string[]): Promise<Recorded>
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

  return {
    async record(tx, kind, id) {
      await lockRevocations(tx)
      // Not before the lock, which may have been waited for.
      const nowSeconds = now() / 1000
      const notBefore = kind === 'user' ? new Date((Math.ceil(nowSeconds) + marginSeconds) * 1000) : null
      const expiresAt = new Date((nowSeconds + lifetimeSeconds) * 1000)
      await insertRevocations(tx, { kind, subjects: [id].flat(), notBefore, expiresAt })
      watch.expect()
      // Half of the margin is for the commit itself, and for clocks that differ.
      const latestMs = notBefore === null ? Infinity : notBefore.getTime() - marginSeconds * 500
      return {
        refuseLate() {
          if (now() <= latestMs) return
          throw new Problem('unavailable', 'The change took too long, and nothing was changed.', {
            headers: { 'Retry-After': '1' },
          })
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
        tokenId: claims.jti,
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
  kind: Kind
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

function seconds(date: Date): number {
  return Math.ceil(date.getTime() / 1000)
}
