import { dataStore } from '@waybill/contracts'
import { taken } from '../../backend.ts'
import type { Backend, NewRecord, Operation, StoredRecord } from '../../backend.ts'
import { scanCount, scanPage } from '../../query/scan.ts'
import type { Problem } from '@waybill/service-kit'
import { deleteAll, replaceAll } from './bulk.ts'
import { persistently } from './persistently.ts'
import { unexpectedForm } from './problems.ts'
import { pushDown, pushedOrder } from './push-down.ts'
import * as requests from './requests.ts'
import { codeOf } from '@waybill/http-client'
import { countIn, idsIn, recordsIn, versionsIn } from './rows.ts'
import { IDS_AT_ONCE, search } from './search.ts'
import { batchesOf, versionsOf } from './batches.ts'
import type { UserClient } from './user-client.ts'

export interface SupabaseBackendOptions {
  user: UserClient
  /** The most records that are looked at for one request, where PostgREST cannot say what is asked (SCAN_MAX_RECORDS). */
  maxScanned: number
}

/**
 * Records in a project of Supabase, by way of PostgREST. Every call has the caller's own token, so the policies of the database
 * decide what is seen and touched; the requests name the owner as well.
 */
export function createSupabaseBackend({ user, maxScanned }: SupabaseBackendOptions): Backend {
  const readOne = async (operation: Operation, id: string): Promise<StoredRecord | undefined> =>
    recordsIn(await user.call(requests.read(operation, id)), operation)[0]

  /** Names the first of the ids that is taken; by now it may be none of them. */
  const conflict = async (operation: Operation, records: readonly NewRecord[]): Promise<never> => {
    const ids = records.map(({ id }) => id)
    for (let from = 0; ids.length > 1 && from < ids.length; from += IDS_AT_ONCE) {
      const some = ids.slice(from, from + IDS_AT_ONCE)
      const found = new Set(idsIn(await user.call(requests.taken(operation, some))))
      const first = some.find((id) => found.has(id))
      if (first !== undefined) taken(first, operation.collection.name)
    }
    return taken(ids[0] ?? '', operation.collection.name)
  }

  return {
    auditsWrites: false,
    searchModes: ['text'],

    async create(operation, records, { onConflict }) {
      // In one order everywhere: two requests for the same ids then wait for each other, and never in a circle.
      const sorted = records.toSorted((one, other) => (one.id < other.id ? -1 : 1))
      const answer = await user.call(requests.insert(operation, sorted, onConflict === 'replace'), ['23505'])
      if (codeOf(answer) === '23505') return conflict(operation, records)
      const created = new Map(recordsIn(answer, operation).map((record) => [record.id, record]))
      return records.map(({ id }) => created.get(id) ?? fail(unexpectedForm()))
    },

    read: readOne,

    async find(operation, query) {
      const condition = requests.thatFits(pushDown(query.filter))
      if (condition.text === false) return []
      const order = pushedOrder(query.order)
      if (condition.exact && order !== undefined) {
        return firstOf(batchesOf(user, operation, condition, query), query.limit)
      }
      const inOrder = order !== undefined
      const from = inOrder ? { order: query.order, after: query.after } : undefined
      const batches = batchesOf(user, operation, condition, from)
      return scanPage(batches, query, { maxRecords: maxScanned, inOrder })
    },

    async count(operation, filter, mode) {
      const condition = requests.thatFits(pushDown(filter))
      if (condition.text === false) return 0
      if (!condition.exact) {
        return scanCount(batchesOf(user, operation, condition), filter, { maxRecords: maxScanned })
      }
      return mode === 'planned'
        ? countTo(dataStore.PLANNED_COUNT_CEILING, versionsOf(user, operation, condition))
        : countIn(await user.call(requests.count(operation, condition)))
    },

    update: (operation, id, change) =>
      persistently(async () => {
        const seen = await readOne(operation, id)
        if (!seen) return { done: undefined }
        const answer = await user.call(requests.update(operation, seen, change(seen)))
        const [updated] = recordsIn(answer, operation)
        return updated && { done: updated }
      }),

    delete: (operation, id, permit) =>
      persistently(async () => {
        const [seen] = versionsIn(await user.call(requests.readVersion(operation, id)), operation)
        if (!seen) return { done: false }
        permit(seen)
        const deleted = idsIn(await user.call(requests.remove(operation, seen)))
        return deleted.length > 0 ? { done: true } : undefined
      }),

    updateMany: (operation, filter, change, maxAffected) =>
      replaceAll({ user, operation, filter, maxAffected, maxScanned }, change),

    deleteMany: (operation, filter, maxAffected) =>
      deleteAll({ user, operation, filter, maxAffected, maxScanned }),

    search(operation, { text, limit }) {
      // No record holds a NUL, and Postgres takes none: it parts words like any other mark.
      const words = (text ?? '').replaceAll('\0', ' ').toWellFormed()
      return search(user, operation, words, limit)
    },
  }
}

/** So many of them, or all when there are fewer; it is one batch unless they are very long. */
async function firstOf(batches: AsyncIterable<StoredRecord[]>, limit: number): Promise<StoredRecord[]> {
  const found: StoredRecord[] = []
  for await (const batch of batches) {
    found.push(...batch)
    if (found.length >= limit) break
  }
  return found.slice(0, limit)
}

/** How many there are, as far as `most`; PostgREST's own `planned` and `estimated` tell of rows that are not the user's. */
async function countTo(most: number, batches: AsyncIterable<readonly unknown[]>): Promise<number> {
  let count = 0
  for await (const batch of batches) {
    count += batch.length
    if (count >= most) return most
  }
  return count
}

function fail(problem: Problem): never {
  throw problem
}
