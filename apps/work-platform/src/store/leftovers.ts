import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import type { Tables } from '../tables.ts'

type Tx = Transaction<Tables>

/** A basket that no project has any more, and that may or may not exist. */
export interface AbandonedBasket {
  workspace_id: string
  basket_id: string
}

export async function insertAbandoned(tx: Tx, basket: AbandonedBasket): Promise<void> {
  await tx
    .insertInto('abandoned_baskets')
    .values({ workspace_id: basket.workspace_id, basket_id: basket.basket_id })
    .execute()
}

/** Removes the projects whose creation began more than `ageMs` ago and was never finished; gives back what they were. */
export async function deleteInterrupted(
  tx: Tx,
  ageMs: number,
): Promise<(AbandonedBasket & { id: string })[]> {
  return tx
    .deleteFrom('projects')
    .where('status', '=', 'creating')
    .where('created_at', '<', ago(ageMs))
    .returning(['id', 'workspace_id', 'basket_id'])
    .execute()
}

/** Forgets the keys that are older than `ageMs`. */
export async function deleteOldKeys(tx: Tx, ageMs: number): Promise<void> {
  await tx.deleteFrom('idempotency_keys').where('created_at', '<', ago(ageMs)).execute()
}

/** Those abandoned more than `ageMs` ago, the longest first, `limit` at most, after the first `offset`. */
export async function abandonedBaskets(
  tx: Tx,
  { ageMs, limit, offset }: { ageMs: number; limit: number; offset: number },
): Promise<AbandonedBasket[]> {
  return tx
    .selectFrom('abandoned_baskets')
    .select(['workspace_id', 'basket_id'])
    .where('created_at', '<', ago(ageMs))
    .orderBy('created_at')
    .orderBy('basket_id')
    .limit(limit)
    .offset(offset)
    .execute()
}

export async function deleteAbandoned(tx: Tx, basket: AbandonedBasket): Promise<void> {
  await tx
    .deleteFrom('abandoned_baskets')
    .where('workspace_id', '=', basket.workspace_id)
    .where('basket_id', '=', basket.basket_id)
    .execute()
}

/** By the clock of the database, which also set created_at. */
function ago(ms: number) {
  return sql<Date>`now() - ${ms} * interval '1 millisecond'`
}
