import type { dataStore } from '@waybill/contracts'
import { tooManyAffected } from '../../backend.ts'
import type { Change, Operation, RecordData } from '../../backend.ts'
import { scanProjection, scanSelection } from '../../query/scan.ts'
import { batchesOf, versionsOf } from './batches.ts'
import { persistently } from './persistently.ts'
import { pushDown } from './push-down.ts'
import * as requests from './requests.ts'
import { codeOf } from '@waybill/http-client'
import type { SeenVersion } from './rows.ts'
import type { UserClient } from './user-client.ts'

export interface Selection {
  user: UserClient
  operation: Operation
  filter: dataStore.Filter
  maxAffected: number
  /** The most records that are looked at where PostgREST cannot filter. */
  maxScanned: number
}

/** What the functions of collections.sql raise when a record is not as it was. */
const FASTER = 'PT409'

/**
 * Changes what the filter lets through, in one transaction that takes all of it as it was read, or nothing; then it is read
 * anew. Gives back the ids.
 * @throws Problem `conflict` when there are more than `maxAffected`, `unprocessable` when too many had to be looked at
 */
export function replaceAll(selection: Selection, change: Change): Promise<string[]> {
  const { user, operation, filter, maxAffected, maxScanned } = selection
  const condition = requests.thatFits(pushDown(filter))
  // What PostgREST has filtered already is counted against maxAffected alone.
  const maxRecords = condition.exact ? Number.POSITIVE_INFINITY : maxScanned
  return allAtOnce(selection, 'replace_many', async () => {
    const batches = batchesOf(user, operation, condition)
    const selected = await scanSelection(batches, filter, { maxAffected, maxRecords })
    return selected.map((seen) => ({ id: seen.id, version: seen.version, data: change(seen) }))
  })
}

/** Deletes it, as replaceAll, without reading what is in the records where PostgREST can filter them. */
export function deleteAll(selection: Selection): Promise<string[]> {
  const { user, operation, filter, maxAffected, maxScanned } = selection
  const condition = requests.thatFits(pushDown(filter))
  return allAtOnce(selection, 'delete_many', async () => {
    if (!condition.exact) {
      const batches = batchesOf(user, operation, condition)
      return scanProjection(batches, filter, { maxAffected, maxRecords: maxScanned }, seenVersion)
    }
    const selected: SeenVersion[] = []
    for await (const batch of versionsOf(user, operation, condition)) {
      selected.push(...batch.map(seenVersion))
      if (selected.length > maxAffected) tooManyAffected(maxAffected)
    }
    return selected
  })
}

function seenVersion({ id, version }: SeenVersion): SeenVersion {
  return { id, version }
}

function allAtOnce(
  { user, operation }: Selection,
  how: 'replace_many' | 'delete_many',
  select: () => Promise<readonly (SeenVersion & { data?: RecordData })[]>,
): Promise<string[]> {
  return persistently(async () => {
    const changes = await select()
    const ids = changes.map(({ id }) => id)
    if (ids.length === 0) return { done: ids }
    const answer = await user.call(requests.changeMany(operation, how, changes), [FASTER])
    return codeOf(answer) === FASTER ? undefined : { done: ids }
  })
}
