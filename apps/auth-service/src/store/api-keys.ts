import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import type { ResolvedKey } from '../api-keys/resolved-key.ts'
import type { Schema } from './schema.ts'

type Tx = Transaction<Schema>

/** An API key as its owner may see it. */
export interface ApiKeyRow {
  id: string
  name: string
  prefix: string
  permissions: string[]
  createdAt: Date
  expiresAt: Date
  lastUsedAt: Date | null
  revokedAt: Date | null
  /** When it was given a successor. */
  replacedAt: Date | null
}

export interface NewApiKey {
  userId: string
  name: string
  prefix: string
  hash: Buffer
  permissions: string[]
  /** Its life. */
  seconds: number
}

const VISIBLE = [
  'id',
  'name',
  'prefix',
  'permissions',
  'created_at as createdAt',
  'expires_at as expiresAt',
  'last_used_at as lastUsedAt',
  'revoked_at as revokedAt',
  'replaced_at as replacedAt',
] as const
const LIVES = sql<boolean>`revoked_at is null and expires_at > clock_timestamp()`

export async function insertKey(tx: Tx, key: NewApiKey): Promise<ApiKeyRow> {
  const { userId, name, prefix, hash, permissions, seconds } = key
  return tx
    .insertInto('api_keys')
    .values({
      ...{ user_id: userId, name, prefix, hash, permissions },
      expires_at: sql`now() + make_interval(secs => ${seconds})`,
    })
    .returning(VISIBLE)
    .executeTakeFirstOrThrow()
}

/** From here to the end of the transaction nobody else adds a key to this user. */
export async function lockKeysOf(tx: Tx, userId: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('api_keys/' || ${userId}, 0))`.execute(tx)
}

/** How many keys of a user live: those that stand, and those that have a successor. */
export async function countLiveKeys(tx: Tx, userId: string): Promise<{ standing: number; replaced: number }> {
  return tx
    .selectFrom('api_keys')
    .select([
      sql<number>`count(*) filter (where replaced_at is null)::int`.as('standing'),
      sql<number>`count(replaced_at)::int`.as('replaced'),
    ])
    .where('user_id', '=', userId)
    .where(LIVES)
    .executeTakeFirstOrThrow()
}

/** All keys of a user, the newest first, as far as the transaction's role may see. */
export async function listKeys(tx: Tx, userId: string): Promise<ApiKeyRow[]> {
  return tx
    .selectFrom('api_keys')
    .select(VISIBLE)
    .where('user_id', '=', userId)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .execute()
}

/** A key that lives, as far as the transaction's role may see. */
export async function findLiveKey(tx: Tx, id: string): Promise<ApiKeyRow | undefined> {
  return tx.selectFrom('api_keys').select(VISIBLE).where('id', '=', id).where(LIVES).executeTakeFirst()
}

/** Ends a key now; false when there is none such that lives. */
export async function revokeKey(tx: Tx, id: string): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('api_keys')
    .set({ revoked_at: sql`clock_timestamp()` })
    .where('id', '=', id)
    .where(LIVES)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Notes that a key has a successor, and lets it end in `seconds` at the latest. */
export async function replaceKey(tx: Tx, id: string, seconds: number): Promise<void> {
  await tx
    .updateTable('api_keys')
    .set({
      replaced_at: sql`clock_timestamp()`,
      expires_at: sql`least(expires_at, clock_timestamp() + make_interval(secs => ${seconds}))`,
    })
    .where('id', '=', id)
    .execute()
}

/** The key of that hash with its owner; undefined when it has ended or the owner is disabled. */
export async function findKeyByHash(tx: Tx, hash: Buffer): Promise<ResolvedKey | undefined> {
  const row = await tx
    .selectFrom('api_keys as k')
    .innerJoin('users as u', 'u.id', 'k.user_id')
    .select([
      ...(['k.id', 'k.permissions', 'k.created_at', 'k.expires_at'] as const),
      ...([
        'u.id as user_id',
        'u.username',
        'u.email',
        'u.role',
        'u.tier',
        'u.tenant_id as tenantId',
      ] as const),
    ])
    .where('k.hash', '=', hash)
    .where('u.disabled_at', 'is', null)
    .where(sql<boolean>`k.revoked_at is null and k.expires_at > clock_timestamp()`)
    .executeTakeFirst()
  if (!row) return undefined
  const { id, permissions, created_at: createdAt, expires_at: expiresAt, user_id, ...owner } = row
  return { keyId: id, permissions, createdAt, expiresAt, user: { id: user_id, ...owner } }
}

/** Notes when keys were last used. */
export async function noteUse(tx: Tx, used: ReadonlyMap<string, Date>): Promise<void> {
  await sql`
    update api_keys k set last_used_at = u.at
    from unnest(${[...used.keys()]}::text[], ${[...used.values()]}::timestamptz[]) as u (id, at)
    where k.id = u.id and (k.last_used_at is null or k.last_used_at < u.at)`.execute(tx)
}

/** Removes the keys that ended more than so many days ago. How many. */
export async function deleteEndedKeys(tx: Tx, days: number): Promise<number> {
  const { numDeletedRows } = await tx
    .deleteFrom('api_keys')
    .where(
      sql<boolean>`least(expires_at, revoked_at) < clock_timestamp() - make_interval(days => ${days}::int)`,
    )
    .executeTakeFirst()
  return Number(numDeletedRows)
}
