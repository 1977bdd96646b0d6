import { AnswerTooLongError } from '@waybill/http-client'
import type { Operation, StoredRecord } from '../../backend.ts'
import { positionOf } from '../../query/evaluate.ts'
import type { Position, SortKey } from '../../query/query.ts'
import type { Condition } from './condition.ts'
import * as requests from './requests.ts'
import type { RestAnswer, RestRequest } from '@waybill/http-client'
import { recordsIn, versionsIn } from './rows.ts'
import type { SeenVersion } from './rows.ts'
import type { UserClient } from './user-client.ts'

/** No more than the smallest `Max rows` that a project may have here (see README): a shorter answer is the last. */
const BATCH = 200

const BY_ID: readonly SortKey[] = [{ field: 'id', descending: false }]

/** From where, in an order that can be pushed down, and how many at a time. */
export interface From {
  order: readonly SortKey[]
  after: Position | undefined
  limit?: number
}

const FIRST: From = { order: BY_ID, after: undefined }

/**
 * The owner's records that a condition lets through, by id unless said. Each batch begins after the last of the one before, so
 * none comes twice whatever is written meanwhile.
 */
export function batchesOf(
  user: UserClient,
  operation: Operation,
  condition: Condition,
  { order, after, limit = BATCH }: From = FIRST,
): AsyncGenerator<StoredRecord[], void, undefined> {
  return batches(user, condition, limit, {
    request: (last, most) =>
      requests.page(operation, condition, {
        ...{ order, limit: most },
        after: last === undefined ? after : positionOf(last, order),
      }),
    rowsIn: (answer) => recordsIn(answer, operation),
  })
}

/** As batchesOf, but of each record no more than a deletion has to know. */
export function versionsOf(
  user: UserClient,
  operation: Operation,
  condition: Condition,
): AsyncGenerator<SeenVersion[], void, undefined> {
  return batches(user, condition, BATCH, {
    request: (last, limit) => requests.versions(operation, condition, { after: last?.id, limit }),
    rowsIn: (answer) => versionsIn(answer, operation),
  })
}

interface Reading<R> {
  request: (last: R | undefined, limit: number) => RestRequest
  rowsIn: (answer: RestAnswer) => R[]
}

async function* batches<R>(
  user: UserClient,
  condition: Condition,
  size: number,
  { request, rowsIn }: Reading<R>,
): AsyncGenerator<R[], void, undefined> {
  if (condition.text === false) return
  let limit = size
  let last: R | undefined
  for (;;) {
    const answer = await user.call(request(last, limit)).catch((error: unknown) => {
      if (limit === 1 || !(error instanceof AnswerTooLongError)) throw error
      return undefined
    })
    if (!answer) {
      limit = Math.ceil(limit / 2)
      continue
    }
    const batch = rowsIn(answer)
    yield batch
    last = batch.at(-1) ?? last
    if (batch.length < limit) return
  }
}
