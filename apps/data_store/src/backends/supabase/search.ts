import { AnswerTooLongError } from '@waybill/http-client'
import type { Operation, StoredRecord } from '../../backend.ts'
import { compareTexts } from '../../query/evaluate.ts'
import { batchesOf } from './batches.ts'
import { exactly, quoted } from './condition.ts'
import * as requests from './requests.ts'
import { hitsIn, scoredRecordsIn } from './rows.ts'
import type { UserClient } from './user-client.ts'

type Scored = StoredRecord & { score: number }

/** So many ids fit into a URL. */
export const IDS_AT_ONCE = 30

/** The owner's records that have the words, the best first; in parts when they are too long for one answer. */
export async function search(
  user: UserClient,
  operation: Operation,
  words: string,
  most: number,
): Promise<Scored[]> {
  const answer = await user.call(requests.search(operation, words, most)).catch((error: unknown) => {
    if (error instanceof AnswerTooLongError) return undefined
    throw error
  })
  if (answer) return scoredRecordsIn(answer, operation)
  const hits = hitsIn(await user.call(requests.hits(operation, words, most)), operation)
  const scores = new Map(hits.map(({ id, score }) => [id, score]))
  const found: Scored[] = []
  for (let from = 0; from < hits.length; from += IDS_AT_ONCE) {
    const ids = hits.slice(from, from + IDS_AT_ONCE).map(({ id }) => quoted(id))
    for await (const batch of batchesOf(user, operation, exactly(`id.in.(${ids.join(',')})`))) {
      found.push(...batch.map((record) => ({ ...record, score: scores.get(record.id) ?? 0 })))
    }
  }
  return found.sort((one, other) => other.score - one.score || compareTexts(one.id, other.id))
}
