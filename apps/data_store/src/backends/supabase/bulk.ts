import type { dataStore } from '@waybill/contracts'
import type { Operation, RecordData, StoredRecord } from '../../backend.ts'
import { scanSelection } from '../../query/scan.ts'
import { batchesOf } from './batches.ts'
import { persistently } from './persistently.ts'
import { pushDown } from './push-down.ts'
import * as requests from './requests.ts'
import { codeOf } from './rest-answer.ts'
import type { UserClient } from './user-client.ts'

interface Selection {
  user: UserClient
  operation: Operation
  filter: dataStore.Filter
  maxAffected: number
  maxScanned: number
}

/** What the functions of collections.sql raise when a record is not as it was. */
const FASTER = 'PT409'

/**
 * Changes what the filter lets through, in one transaction that takes all of it as it was read, or nothing; then it is read
 * anew. Gives back the ids.
 * @throws Problem `conflict` when there are more than `maxAffected`, `unprocessable` when too many had to be looked at
 */
export function changeAll(
  { user, operation, filter, maxAffected, maxScanned }: Selection,
  how: 'replace_many' | 'delete_many',
  changeOf: (seen: StoredRecord) => { data?: RecordData },
): Promise<string[]> {
  const condition = requests.thatFits(pushDown(filter))
  // What PostgREST has filtered already is counted against maxAffected alone.
  const maxRecords = condition.exact ? Number.POSITIVE_INFINITY : maxScanned
  return persistently(async () => {
    const batches = batchesOf(user, operation, condition)
    const selected = await scanSelection(batches, filter, { maxAffected, maxRecords })
    const ids = selected.map(({ id }) => id)
    if (ids.length === 0) return { done: ids }
    const changes = selected.map((seen) => ({ id: seen.id, version: seen.version, ...changeOf(seen) }))
    const answer = await user.call(requests.changeMany(operation, how, changes), [FASTER])
    return codeOf(answer) === FASTER ? undefined : { done: ids }
  })
}
