import type { Transaction } from '@waybill/database'
import type { Tables } from '../tables.ts'

type Tx = Transaction<Tables>

export interface KeyRow {
  fingerprint: string
  /** null while the first request is at work. */
  answer: unknown
}

/** Takes the key for a request; false when it is taken. Waits for a transaction that is just taking it. */
export async function takeKey(
  tx: Tx,
  taken: { key: string; fingerprint: string; project_id: string },
): Promise<boolean> {
  const { numInsertedOrUpdatedRows = 0n } = await tx
    .insertInto('idempotency_keys')
    .values({ ...taken, answer: undefined })
    .onConflict((conflict) => conflict.columns(['user_id', 'key']).doNothing())
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows > 0n
}

export async function findKey(tx: Tx, userId: string, key: string): Promise<KeyRow | undefined> {
  return tx
    .selectFrom('idempotency_keys')
    .select(['fingerprint', 'answer'])
    .where('user_id', '=', userId)
    .where('key', '=', key)
    .executeTakeFirst()
}

/** Keeps the answer of the request that made the project, if it had a key. */
export async function keepAnswer(tx: Tx, projectId: string, answer: object): Promise<void> {
  await tx
    .updateTable('idempotency_keys')
    .set({ answer: JSON.stringify(answer) })
    .where('project_id', '=', projectId)
    .execute()
}

/** Frees the key of a request that failed, so that the same request may be tried again. */
export async function releaseKey(tx: Tx, projectId: string): Promise<void> {
  await tx.deleteFrom('idempotency_keys').where('project_id', '=', projectId).execute()
}
