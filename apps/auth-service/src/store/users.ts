import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import { comparableName } from '../people/account-name.ts'
import type { Schema, Tier } from './schema.ts'

type Tx = Transaction<Schema>

export interface NewUser {
  username: string
  email: string
  fullName: string | null
  passwordHash: string
}

export interface User {
  id: string
  username: string
  email: string
  fullName: string | null
  role: string
  tier: Tier
  tenantId: string | null
  createdAt: Date
  disabledAt: Date | null
}

/** What can be seen of a user by that user: everything but the hash. */
export const VISIBLE = [
  'id',
  'username',
  'email',
  'full_name as fullName',
  'role',
  'tier',
  'tenant_id as tenantId',
  'created_at as createdAt',
  'disabled_at as disabledAt',
] as const

/** The new user. @throws the unique violation of Postgres when the username or the e-mail address is taken */
export async function insertUser(tx: Tx, user: NewUser): Promise<User> {
  const { username, email, fullName, passwordHash } = user
  return tx
    .insertInto('users')
    .values({ username, email, full_name: fullName, password_hash: passwordHash })
    .returning(VISIBLE)
    .executeTakeFirstOrThrow()
}

/** A user with what a password is compared with. */
export interface Credentialed extends User {
  passwordHash: string
  /** Another one after each change of the password, and the same when it is only hashed anew. */
  passwordVersion: string
}

/** The user of that username, or e-mail address where `name` has an `@`, in whatever case. */
export async function findUserByName(tx: Tx, name: string): Promise<Credentialed | undefined> {
  const column = name.includes('@') ? 'email' : 'username'
  return tx
    .selectFrom('users')
    .select([
      ...VISIBLE,
      'password_hash as passwordHash',
      sql<string>`password_changed_at::text`.as('passwordVersion'),
    ])
    .where(sql`lower(${sql.ref(column)})`, '=', comparableName(name))
    .executeTakeFirst()
}

/** The user with that id, as far as the transaction's role may see. */
export async function findUser(tx: Tx, id: string): Promise<User | undefined> {
  return tx.selectFrom('users').select(VISIBLE).where('id', '=', id).executeTakeFirst()
}

/**
 * Whether the user is still not disabled and has the password that was compared. Nobody can change either before the
 * transaction ends, so what it opens cannot be missed by a change that ends what is open.
 */
export async function holdCredentials(tx: Tx, { id, passwordVersion }: Credentialed): Promise<boolean> {
  const row = await tx
    .selectFrom('users')
    .select('id')
    .where('id', '=', id)
    .where('disabled_at', 'is', null)
    .where(sql<boolean>`password_changed_at = ${passwordVersion}::timestamptz`)
    // The strongest lock that the hash, made anew, will need: two logins that both began with a weaker one would each
    // wait for the other.
    .forNoKeyUpdate()
    .executeTakeFirst()
  return row !== undefined
}

/** The password hash of a user; undefined when there is no such user, or it is disabled. */
export async function findPasswordHash(tx: Tx, id: string): Promise<string | undefined> {
  const row = await tx
    .selectFrom('users')
    .select('password_hash')
    .where('id', '=', id)
    .where('disabled_at', 'is', null)
    .executeTakeFirst()
  return row?.password_hash
}

/**
 * Puts `next` in the place of the hash `kept`; false when another hash stands there by now. `isChange`: it is of another
 * password, and not of the same one anew.
 */
export async function replacePasswordHash(
  tx: Tx,
  id: string,
  { kept, next, isChange = false }: { kept: string; next: string; isChange?: boolean },
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('users')
    .set({ password_hash: next, ...(isChange && { password_changed_at: sql<Date>`clock_timestamp()` }) })
    .where('id', '=', id)
    .where('password_hash', '=', kept)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}
