import type { Transaction } from '@waybill/database'
import type { authService } from '@waybill/contracts'
import { sql } from 'kysely'
import type { Schema } from './schema.ts'

type Tx = Transaction<Schema>

/** Held by whoever writes a revocation until its transaction ends; any number that is used for nothing else will do. */
const LOCK = 5_022_817_604_331_991n

type Kind = authService.Revocation['kind']

export interface NewRevocations {
  kind: Exclude<Kind, 'user'>
  subjects: readonly string[]
  expiresAt: Date
}

export interface NewUserRevocation {
  userId: string
  /** The earliest that it may be. */
  notBefore: Date
  expiresAt: Date
}

interface RevocationRow {
  kind: Kind
  subject: string
  notBefore: Date | null
  expiresAt: Date
  /** A number of up to 19 digits, as text. */
  cursor: string
}

/** What a token has that can be revoked. */
export interface Revocable {
  sessionId?: string | undefined
  /** Its own, and that of the token at the beginning of its chain. */
  tokenIds: readonly string[]
  apiKeyId?: string | undefined
  userId?: string | undefined
  issuedAt: Date
}

/** From here to the end of the transaction nobody else appends to the feed. */
export async function lockRevocations(tx: Tx): Promise<void> {
  await sql`select pg_advisory_xact_lock(${sql.lit(LOCK)})`.execute(tx)
}

/** Appends to the feed, which the transaction has locked: in one statement, however many sessions a user has opened. */
export async function insertRevocations(tx: Tx, revocations: NewRevocations): Promise<void> {
  const { kind, subjects, expiresAt } = revocations
  await sql`
    insert into revocations (kind, subject, expires_at)
    select ${kind}, subject, ${expiresAt}::timestamptz
    from unnest(${subjects}::text[]) as subject`.execute(tx)
}

/**
 * As `insertRevocations`, for what a user was issued. The moment from which on tokens are good: later than the one before
 * it, which is what tokens were issued with since.
 */
export async function insertUserRevocation(tx: Tx, revocation: NewUserRevocation): Promise<Date> {
  const { userId, notBefore, expiresAt } = revocation
  const { rows } = await sql<{ notBefore: Date }>`
    insert into revocations (kind, subject, not_before, expires_at)
    select 'user', ${userId}, greatest(${notBefore}::timestamptz, max(not_before) + interval '1 second'),
      ${expiresAt}::timestamptz
    from revocations where kind = 'user' and subject = ${userId}
    returning not_before as "notBefore"`.execute(tx)
  return rows[0]?.notBefore ?? notBefore
}

/** Resolves when whoever was writing a revocation at this moment has committed it or given it up. */
export async function awaitWriters(tx: Tx): Promise<void> {
  await sql`select pg_advisory_xact_lock_shared(${sql.lit(LOCK)})`.execute(tx)
}

/** The cursor of the newest revocation; '0' before the first. */
export async function newestCursor(tx: Tx): Promise<string> {
  const { rows } = await sql<{ cursor: string }>`
    select coalesce(max(cursor), 0)::text as cursor from revocations`.execute(tx)
  return rows[0]?.cursor ?? '0'
}

/** Those after `cursor` that are in force at `now`, the oldest first. */
export async function listRevocations(
  tx: Tx,
  cursor: string,
  now: Date,
  limit: number,
): Promise<RevocationRow[]> {
  const { rows } = await sql<RevocationRow>`
    select cursor::text, kind, subject, not_before as "notBefore", expires_at as "expiresAt"
    from revocations where cursor > ${cursor}::bigint and expires_at > ${now}
    order by revocations.cursor limit ${limit}`.execute(tx)
  return rows
}

/** Whether anything that the token has is revoked. */
export async function isRevoked(tx: Tx, token: Revocable): Promise<boolean> {
  const { rows } = await sql`
    select 1 from revocations
    where (kind = 'session' and subject = ${token.sessionId ?? null})
      or (kind = 'token' and subject = any(${token.tokenIds}))
      or (kind = 'api_key' and subject = ${token.apiKeyId ?? null})
      or (kind = 'user' and subject = ${token.userId ?? null} and not_before > ${token.issuedAt})
    limit 1`.execute(tx)
  return rows.length > 0
}

/** What the tokens of a user say, and from when on they may be issued. */
export interface UserAtIssue {
  role: string
  email: string
  tier: string
  tenantId: string | null
  /** Null when nothing was revoked. */
  notBefore: Date | null
}

/** One statement, so that role, tenant and moment belong together; undefined when the user is gone or disabled. */
export async function findUserAtIssue(tx: Tx, userId: string): Promise<UserAtIssue | undefined> {
  const { rows } = await sql<UserAtIssue>`
    select u.role, u.email, u.tier, u.tenant_id as "tenantId",
      (select max(r.not_before) from revocations r where r.kind = 'user' and r.subject = u.id) as "notBefore"
    from users u where u.id = ${userId} and u.disabled_at is null`.execute(tx)
  return rows[0]
}

/** Forgets what has expired. The newest row stays, because it tells where the feed has come to. */
export async function pruneRevocations(tx: Tx, now: Date): Promise<void> {
  await sql`
    delete from revocations
    where expires_at <= ${now} and cursor < (select max(cursor) from revocations)`.execute(tx)
}
