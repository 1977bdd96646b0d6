import { randomUUID } from 'node:crypto'
import { recordAudit } from '@waybill/database'
import type { Database, Transaction } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { Secret, UserPrincipal } from '@waybill/service-kit'
import { ATTRIBUTE, countEvent, METRIC } from '@waybill/telemetry'
import type { RefreshTokens } from './refresh-token.ts'
import type { Revocations } from '../revocations/revocations.ts'
import {
  deleteExpiredSessions,
  findLiveSession,
  insertSession,
  listLiveSessions,
  revokeSession,
  revokeSessionsOf,
  rotate,
  sessionLives,
} from '../store/sessions.ts'
import type { SessionRow, SessionSummary } from '../store/sessions.ts'
import type { EndOfSession, Schema } from '../store/schema.ts'

type Tx = Transaction<Schema>

export interface SessionsOptions {
  database: Database<Schema>
  refreshTokens: RefreshTokens
  revocations: Pick<Revocations, 'record'>
  lifetimeDays: number
  /** For how long the last token but one still gets its successor, in seconds. */
  graceSeconds: number
}

/** A session that has just been opened or refreshed. */
export interface OpenSession extends SessionRow {
  refreshToken: Secret
}

export interface Sessions {
  /** Opens a session for a user who has proved who it is, within the transaction that says so in the audit. */
  open(tx: Tx, user: Omit<SessionRow, 'id' | 'expiresAt'>): Promise<OpenSession>
  /**
   * The session of a refresh token, with the next one. A caller who comes at the same time with the same token gets
   * the same next one; one who comes later has a copy that should not exist, and the whole session ends.
   * @throws Problem invalid_token
   */
  refresh(token: string): Promise<OpenSession>
  /** Ends the session of the principal. */
  end(principal: UserPrincipal): Promise<void>
  /** The sessions of the principal that live, the newest first. */
  list(principal: UserPrincipal): Promise<SessionSummary[]>
  /** Ends one session of the principal. @throws Problem not_found when it has none such that lives */
  endOne(principal: UserPrincipal, id: string): Promise<void>
  /** Ends every session of the principal but the one that asks. How many. */
  endOthers(principal: UserPrincipal): Promise<number>
  /** Ends the sessions of a user in a transaction that goes on, but for `exceptId`. How many. The audit is the caller's. */
  endAll(tx: Tx, userId: string, because: EndOfSession, exceptId?: string): Promise<number>
  isLive(id: string): Promise<boolean>
  /** Removes what has expired. How many. */
  sweep(): Promise<number>
}

export function createSessions(options: SessionsOptions): Sessions {
  const { database, refreshTokens, revocations, lifetimeDays, graceSeconds } = options

  const endAll: Sessions['endAll'] = async (tx, userId, because, exceptId) => {
    const ids = await revokeSessionsOf(tx, userId, because, exceptId)
    if (ids.length > 0) await revocations.record(tx, 'session', ids)
    return ids.length
  }
  const list: Sessions['list'] = (principal) =>
    database.withPrincipal(principal, (tx) => listLiveSessions(tx, principal.userId), { readOnly: true })
  const endOwn = async (principal: UserPrincipal, id: string, because: 'logout' | 'revoked') =>
    database.withPrincipal(principal, async (tx) => {
      if (!(await revokeSession(tx, id, because))) return false
      await revocations.record(tx, 'session', id)
      const action = because === 'logout' ? 'session.logout' : 'session.revoke'
      await recordAudit(tx, { action, resource: `session/${id}`, outcome: 'success' })
      return true
    })
  const endReused = async (tx: Tx, { id, userId }: SessionRow): Promise<void> => {
    // Two copies that come at once end the session once.
    if (!(await revokeSession(tx, id, 'refresh_reuse'))) return
    await revocations.record(tx, 'session', id)
    // Whoever it was has not proved to be the user: the actor stays anonymous.
    await recordAudit(tx, {
      action: 'session.refresh_reuse',
      resource: `session/${id}`,
      outcome: 'denied',
      details: { user: userId },
    })
  }

  return {
    async open(tx, user) {
      const id = randomUUID()
      const { token, hash } = refreshTokens.first(id)
      const { expiresAt } = await insertSession(tx, {
        id,
        userId: user.userId,
        refreshHash: hash,
        lifetimeDays,
      })
      return { ...user, id, expiresAt, refreshToken: token }
    },

    async refresh(text) {
      const presented = refreshTokens.read(text)
      if (!presented) throw refused()
      const { sessionId, hash } = presented
      const successor = refreshTokens.successor(presented)
      // Refused outside the transaction, so that ending the session is not rolled back.
      const session = await database.withoutPrincipal(async (tx): Promise<SessionRow | undefined> => {
        const rotated = await rotate(tx, sessionId, hash, successor.hash)
        if (rotated) return rotated
        const live = await findLiveSession(tx, sessionId, hash, graceSeconds)
        if (live && !live.justReplaced) await endReused(tx, live)
        return live?.justReplaced ? live : undefined
      })
      if (!session) throw refused()
      countEvent(METRIC.refresh, { [ATTRIBUTE.outcome]: 'success' })
      return { ...session, refreshToken: successor.token }
    },

    async end(principal) {
      await endOwn(principal, principal.sessionId ?? '', 'logout')
    },
    list,
    async endOne(principal, id) {
      // An administrator could end any session here; this is for one's own.
      const isOwn = (await list(principal)).some((session) => session.id === id)
      if (isOwn && (await endOwn(principal, id, 'revoked'))) return
      throw new Problem('not_found', 'You have no such session.')
    },
    endOthers: (principal) =>
      database.withPrincipal(principal, async (tx) => {
        const count = await endAll(tx, principal.userId, 'revoked', principal.sessionId)
        const resource = `user/${principal.userId}`
        await recordAudit(tx, {
          ...{ action: 'session.revoke_others', resource, outcome: 'success', details: { count } },
        })
        return count
      }),
    endAll,
    isLive: (id) => database.withoutPrincipal((tx) => sessionLives(tx, id), { readOnly: true }),
    sweep: () => database.withoutPrincipal(deleteExpiredSessions),
  }
}

/** The same words for a token that is made up, used, expired or revoked. */
function refused(): Problem {
  countEvent(METRIC.refresh, { [ATTRIBUTE.outcome]: 'failure' })
  return new Problem('invalid_token', 'The refresh token is not valid any more. Log in again.')
}
