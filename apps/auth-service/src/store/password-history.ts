import type { Transaction } from '@waybill/database'
import type { Schema } from './schema.ts'

type Tx = Transaction<Schema>

/** The last `count` hashes that a user had before the one of now, the newest first. */
export async function listFormerHashes(tx: Tx, userId: string, count: number): Promise<string[]> {
  const rows = await tx
    .selectFrom('password_history')
    .select('password_hash')
    .where('user_id', '=', userId)
    .orderBy('id', 'desc')
    .limit(count)
    .execute()
  return rows.map((row) => row.password_hash)
}

/** Keeps `hash` as the newest that has been, and forgets all but the last `keep`. */
export async function keepFormerHash(tx: Tx, userId: string, hash: string, keep: number): Promise<void> {
  await tx.insertInto('password_history').values({ user_id: userId, password_hash: hash }).execute()
  await tx
    .deleteFrom('password_history')
    .where('user_id', '=', userId)
    .where('id', 'not in', (query) =>
      query
        .selectFrom('password_history')
        .select('id')
        .where('user_id', '=', userId)
        .orderBy('id', 'desc')
        .limit(keep),
    )
    .execute()
}
