import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import { comparableName } from '../account-name.ts'
import type { Schema } from './schema.ts'

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
  createdAt: Date
}

/** What can be seen of a user by that user: everything but the hash. */
const PUBLIC = [
  'id',
  'username',
  'email',
  'full_name as fullName',
  'role',
  'created_at as createdAt',
] as const

/** The new user. @throws the unique violation of Postgres when the username or the e-mail address is taken */
export async function insertUser(tx: Tx, user: NewUser): Promise<User> {
  const { username, email, fullName, passwordHash } = user
  return tx
    .insertInto('users')
    .values({ username, email, full_name: fullName, password_hash: passwordHash })
    .returning(PUBLIC)
    .executeTakeFirstOrThrow()
}

/** The user of that username, or e-mail address where `name` has an `@`, in whatever case. */
export async function findUserByName(
  tx: Tx,
  name: string,
): Promise<(User & { passwordHash: string }) | undefined> {
  const column = name.includes('@') ? 'email' : 'username'
  return tx
    .selectFrom('users')
    .select([...PUBLIC, 'password_hash as passwordHash'])
    .where(sql`lower(${sql.ref(column)})`, '=', comparableName(name))
    .executeTakeFirst()
}

/** The user with that id, as far as the transaction's role may see. */
export async function findUser(tx: Tx, id: string): Promise<User | undefined> {
  return tx.selectFrom('users').select(PUBLIC).where('id', '=', id).executeTakeFirst()
}
