import { randomUUID } from 'node:crypto'
import { recordAudit } from '@waybill/database'
import type { Database, Transaction } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { Secret, UserPrincipal } from '@waybill/service-kit'
import type { RefreshTokens } from './refresh-token.ts'
import { findLiveSession, insertSession, revokeSession, rotate, sessionLives } from './store/sessions.ts'
import type { SessionRow } from './store/sessions.ts'
import type { Schema } from './store/schema.ts'

export interface SessionsOptions {
  database: Database<Schema>
  refreshTokens: RefreshTokens
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
  open(tx: Transaction<Schema>, user: Omit<SessionRow, 'id' | 'expiresAt'>): Promise<OpenSession>
  /**
   * The session of a refresh token, with the next one. A caller who comes at the same time with the same token gets
   * the same next one; one who comes later has a copy that should not exist, and the whole session ends.
   * @throws Problem invalid_token
   */
  refresh(token: string): Promise<OpenSession>
  /** Ends the session of the principal. */
  end(principal: UserPrincipal): Promise<void>
  isLive(id: string): Promise<boolean>
}

export function createSessions(options: SessionsOptions): Sessions {
  const { database, refreshTokens, lifetimeDays, graceSeconds } = options
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
      return { ...session, refreshToken: successor.token }
    },

    async end(principal) {
      const id = principal.sessionId ?? ''
      await database.withPrincipal(principal, async (tx) => {
        if (!(await revokeSession(tx, id, 'logout'))) return
        await recordAudit(tx, { action: 'session.logout', resource: `session/${id}`, outcome: 'success' })
      })
    },

    isLive: (id) => database.withoutPrincipal((tx) => sessionLives(tx, id), { readOnly: true }),
  }
}

async function endReused(tx: Transaction<Schema>, { id, userId }: SessionRow): Promise<void> {
  await revokeSession(tx, id, 'refresh_reuse')
  // Whoever it was has not proved to be the user: the actor stays anonymous.
  await recordAudit(tx, {
    action: 'session.refresh_reuse',
    resource: `session/${id}`,
    outcome: 'denied',
    details: { user: userId },
  })
}

/** The same words for a token that is made up, used, expired or revoked. */
function refused(): Problem {
  return new Problem('invalid_token', 'The refresh token is not valid any more. Log in again.')
}
