import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import type { EndOfSession, Schema, Tier } from './schema.ts'

type Tx = Transaction<Schema>

/** A session that lives, with what its tokens say about the user. */
export interface SessionRow {
  id: string
  userId: string
  username: string
  email: string
  role: string
  tier: Tier
  expiresAt: Date
}

export interface NewSession {
  id: string
  userId: string
  refreshHash: Buffer
  lifetimeDays: number
}

/** When the session ends, by the clock of the database, which also judges it later. */
export async function insertSession(tx: Tx, session: NewSession): Promise<{ expiresAt: Date }> {
  return tx
    .insertInto('sessions')
    .values({
      id: session.id,
      user_id: session.userId,
      refresh_hash: session.refreshHash,
      expires_at: sql`now() + make_interval(days => ${session.lifetimeDays})`,
    })
    .returning('expires_at as expiresAt')
    .executeTakeFirstOrThrow()
}

/** `clock_timestamp()`, because a transaction that waited for a row lock began before what it must now judge. */
const LIVES = sql<boolean>`s.revoked_at is null and s.expires_at > clock_timestamp()`
const OF_ENABLED = sql<boolean>`u.id = s.user_id and u.disabled_at is null`
const SESSION = sql`s.id, u.id as "userId", u.username, u.email, u.role, u.tier, s.expires_at as "expiresAt"`

/**
 * Puts `successor` in the place of `presented`: the one statement that decides which of many callers has the newest
 * token. The session, or undefined when `presented` is not the newest or the session has ended.
 */
export async function rotate(
  tx: Tx,
  id: string,
  presented: Buffer,
  successor: Buffer,
): Promise<SessionRow | undefined> {
  const { rows } = await sql<SessionRow>`
    update sessions s
    set refresh_hash = ${successor}, previous_hash = s.refresh_hash, rotated_at = clock_timestamp()
    from users u
    where s.id = ${id} and s.refresh_hash = ${presented} and ${LIVES} and ${OF_ENABLED}
    returning ${SESSION}`.execute(tx)
  return rows[0]
}

/** A session that lives, and whether `presented` was its newest token until less than `graceSeconds` ago. */
export async function findLiveSession(
  tx: Tx,
  id: string,
  presented: Buffer,
  graceSeconds: number,
): Promise<(SessionRow & { justReplaced: boolean }) | undefined> {
  const { rows } = await sql<SessionRow & { justReplaced: boolean }>`
    select ${SESSION}, coalesce(s.previous_hash = ${presented}
      and s.rotated_at > clock_timestamp() - make_interval(secs => ${graceSeconds}), false) as "justReplaced"
    from sessions s join users u on ${OF_ENABLED}
    where s.id = ${id} and ${LIVES}`.execute(tx)
  return rows[0]
}

/** Whether there is such a session, it has not ended, and its user is not disabled. */
export async function sessionLives(tx: Tx, id: string): Promise<boolean> {
  const { rows } = await sql`
    select 1 from sessions s join users u on ${OF_ENABLED} where s.id = ${id} and ${LIVES}`.execute(tx)
  return rows.length > 0
}

export interface SessionSummary {
  id: string
  createdAt: Date
  lastUsedAt: Date
  expiresAt: Date
}

/** The sessions of a user that live, the newest first, as far as the transaction's role may see. */
export async function listLiveSessions(tx: Tx, userId: string): Promise<SessionSummary[]> {
  const { rows } = await sql<SessionSummary>`
    select s.id, s.created_at as "createdAt", coalesce(s.rotated_at, s.created_at) as "lastUsedAt",
      s.expires_at as "expiresAt"
    from sessions s where s.user_id = ${userId} and ${LIVES} order by s.created_at desc, s.id`.execute(tx)
  return rows
}

/** Ends a session; false when it had ended already, or is not for the transaction's role to end. */
export async function revokeSession(tx: Tx, id: string, because: EndOfSession): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('sessions')
    .set({ revoked_at: sql`clock_timestamp()`, revoked_because: because })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Ends the sessions of a user that live, but for `exceptId`; their ids. */
export async function revokeSessionsOf(
  tx: Tx,
  userId: string,
  because: EndOfSession,
  exceptId = '',
): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    update sessions s set revoked_at = clock_timestamp(), revoked_because = ${because}
    where s.user_id = ${userId} and s.id != ${exceptId} and ${LIVES} returning s.id`.execute(tx)
  return rows.map(({ id }) => id)
}

/** Removes the sessions that would have expired by now, ended or not. How many. */
export async function deleteExpiredSessions(tx: Tx): Promise<number> {
  const { numDeletedRows } = await tx
    .deleteFrom('sessions')
    .where('expires_at', '<', sql<Date>`clock_timestamp()`)
    .executeTakeFirst()
  return Number(numDeletedRows)
}
