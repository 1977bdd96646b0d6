import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import type { KeyState, Schema } from './schema.ts'

type Tx = Transaction<Schema>

export interface SealedKey {
  kid: string
  alg: string
  state: KeyState
  /** Empty once the key is revoked. */
  sealed: Buffer
  createdAt: Date
  /** Since when it is in its state. */
  changedAt: Date
  /** For how long, in seconds, by the clock of the database. */
  ageSeconds: number
}

/** Held by whoever changes the keys until its transaction ends; any number that is used for nothing else will do. */
const LOCK = 5_022_817_604_331_992n

/** Waits until nobody else changes the keys; nobody else will before the transaction ends. */
export async function lockKeys(tx: Tx): Promise<void> {
  await sql`select pg_advisory_xact_lock(${sql.lit(LOCK)})`.execute(tx)
}

/** Every key, the oldest first. */
export async function listKeys(tx: Tx): Promise<SealedKey[]> {
  const { rows } = await sql<SealedKey>`
    select kid, alg, state, sealed, created_at as "createdAt", changed_at as "changedAt",
      extract(epoch from clock_timestamp() - changed_at)::float8 as "ageSeconds"
    from signing_keys order by created_at, kid`.execute(tx)
  return rows
}

export async function insertKey(
  tx: Tx,
  key: Pick<SealedKey, 'kid' | 'alg' | 'sealed'>,
  state: 'next' | 'current',
): Promise<void> {
  await tx
    .insertInto('signing_keys')
    .values({ ...key, state })
    .execute()
}

export async function changeKey(tx: Tx, kid: string, state: 'current' | 'retired'): Promise<void> {
  await tx
    .updateTable('signing_keys')
    .set({ state, changed_at: sql`clock_timestamp()` })
    .where('kid', '=', kid)
    .execute()
}

/** Revokes a key and destroys both halves of it. */
export async function destroyKey(tx: Tx, kid: string): Promise<void> {
  await tx
    .updateTable('signing_keys')
    .set({ state: 'revoked', sealed: Buffer.alloc(0), changed_at: sql`clock_timestamp()` })
    .where('kid', '=', kid)
    .execute()
}

export async function removeKey(tx: Tx, kid: string): Promise<void> {
  await tx.deleteFrom('signing_keys').where('kid', '=', kid).execute()
}
