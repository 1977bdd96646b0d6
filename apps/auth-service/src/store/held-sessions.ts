import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import type { Schema } from './schema.ts'

type Tx = Transaction<Schema>

/** The live session of a refresh token, and what its tokens say of the user. */
export interface HeldSession {
  sessionId: string
  userId: string
  role: string
  email: string
  issuedAt: Date
  expiresAt: Date
  /** Whether the token is the newest of the session; the one before it may still be on its way to be replaced. */
  isNewest: boolean
}

export async function findHeldSession(tx: Tx, id: string, hash: Buffer): Promise<HeldSession | undefined> {
  const { rows } = await sql<HeldSession>`
    select s.id as "sessionId", u.id as "userId", u.role, u.email, s.refresh_hash = ${hash} as "isNewest",
      coalesce(s.rotated_at, s.created_at) as "issuedAt", s.expires_at as "expiresAt"
    from sessions s join users u on u.id = s.user_id
    where s.id = ${id} and (s.refresh_hash = ${hash} or s.previous_hash = ${hash})
      and s.revoked_at is null and s.expires_at > clock_timestamp() and u.disabled_at is null`.execute(tx)
  return rows[0]
}
