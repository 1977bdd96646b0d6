import type { Transaction } from '@waybill/database'
import type { KeyState, Schema } from './schema.ts'

type Tx = Transaction<Schema>

export interface SealedKey {
  kid: string
  alg: string
  state: KeyState
  sealed: Buffer
}

/** The keys that are published: every one that is not revoked, the oldest first. */
export async function listPublishedKeys(tx: Tx): Promise<SealedKey[]> {
  return tx
    .selectFrom('signing_keys')
    .select(['kid', 'alg', 'state', 'sealed'])
    .where('state', '!=', 'revoked')
    .orderBy('created_at')
    .orderBy('kid')
    .execute()
}

/** Makes `key` the current one, unless there is one; waits for whoever is just doing the same. */
export async function insertFirstKey(tx: Tx, key: Omit<SealedKey, 'state'>): Promise<void> {
  await tx
    .insertInto('signing_keys')
    .values({ ...key, state: 'current' })
    .onConflict((conflict) => conflict.column('state').where('state', '=', 'current').doNothing())
    .execute()
}
