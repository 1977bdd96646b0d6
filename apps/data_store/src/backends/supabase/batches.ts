import type { Operation, StoredRecord } from '../../backend.ts'
import { positionOf } from '../../query/evaluate.ts'
import type { Position, Query, SortKey } from '../../query/query.ts'
import type { Condition } from './condition.ts'
import * as requests from './requests.ts'
import { recordsIn } from './rows.ts'
import type { UserClient } from './user-client.ts'

/** No more than the smallest `Max rows` that a project may have here (see README): a shorter answer is the last. */
const BATCH = 200

const BY_ID: readonly SortKey[] = [{ field: 'id', descending: false }]

/**
 * The owner's records that a condition lets through, by id, or from where `query` is on in its order, which can be pushed
 * down. Each batch begins after the last of the one before, so none comes twice whatever is written meanwhile.
 */
export async function* batchesOf(
  user: UserClient,
  operation: Operation,
  condition: Condition,
  { order, after: first }: Pick<Query, 'order' | 'after'> = { order: BY_ID, after: undefined },
): AsyncGenerator<StoredRecord[], void, undefined> {
  if (condition.text === false) return
  let after: Position | undefined = first
  for (;;) {
    const request = requests.page(operation, condition, { order, after, limit: BATCH })
    const batch = recordsIn(await user.call(request), operation)
    yield batch
    const last = batch.at(-1)
    if (!last || batch.length < BATCH) return
    after = positionOf(last, order)
  }
}
