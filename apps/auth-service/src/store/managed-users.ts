import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import type { Schema, Tier } from './schema.ts'
import { VISIBLE } from './users.ts'
import type { NewUser, User } from './users.ts'

type Tx = Transaction<Schema>

/** Held by whoever changes who is an administrator, until its transaction ends; any number used for nothing else. */
const ADMINS_LOCK = 5_022_817_604_331_993n

export interface UserFilter {
  limit: number
  /** The id of the last user of the page before. */
  cursor?: string | undefined
  /** The beginning of a username or an e-mail address. */
  search?: string | undefined
  role?: string | undefined
}

/** What an administrator changes of a user. */
export interface UserChange {
  role?: string
  tier?: Tier
  tenantId?: string | null
  disabledAt?: Date | null
}

/** Users, the newest first, as far as the transaction's role may see. */
export async function listUsers(tx: Tx, { limit, cursor, search, role }: UserFilter): Promise<User[]> {
  let query = tx
    .selectFrom('users')
    .select(VISIBLE)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
  if (role !== undefined) query = query.where('role', '=', role)
  if (search !== undefined) {
    const start = search.toLowerCase()
    query = query.where(
      sql<boolean>`(starts_with(lower(username), ${start}) or starts_with(lower(email), ${start}))`,
    )
  }
  if (cursor !== undefined) {
    query = query.where(
      sql<boolean>`(created_at, id) < (select c.created_at, c.id from users c where c.id = ${cursor})`,
    )
  }
  return query.execute()
}

/** The user as it is now; undefined when there is none that the transaction's role may change. */
export async function updateUser(tx: Tx, id: string, change: UserChange): Promise<User | undefined> {
  const { disabledAt, tenantId, ...rest } = change
  return tx
    .updateTable('users')
    .set({
      ...rest,
      ...(tenantId !== undefined && { tenant_id: tenantId }),
      ...(disabledAt !== undefined && { disabled_at: disabledAt }),
    })
    .where('id', '=', id)
    .returning(VISIBLE)
    .executeTakeFirst()
}

/** From here to the end of the transaction nobody else changes who is an administrator. */
export async function lockAdmins(tx: Tx): Promise<void> {
  await sql`select pg_advisory_xact_lock(${sql.lit(ADMINS_LOCK)})`.execute(tx)
}

/** How many administrators there are that are not disabled, without `exceptId`. */
export async function countAdmins(tx: Tx, exceptId = ''): Promise<number> {
  const { count } = await tx
    .selectFrom('users')
    .select(sql<number>`count(*)::int`.as('count'))
    .where('role', '=', 'admin')
    .where('disabled_at', 'is', null)
    .where('id', '!=', exceptId)
    .executeTakeFirstOrThrow()
  return count
}

/** A new administrator; undefined when the username or the e-mail address is taken. */
export async function insertAdmin(tx: Tx, user: NewUser): Promise<User | undefined> {
  const { username, email, fullName, passwordHash } = user
  return tx
    .insertInto('users')
    .values({ username, email, full_name: fullName, password_hash: passwordHash, role: 'admin' })
    .onConflict((conflict) => conflict.doNothing())
    .returning(VISIBLE)
    .executeTakeFirst()
}
