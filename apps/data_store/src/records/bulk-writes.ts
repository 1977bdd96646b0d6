import type { dataStore } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import type { Admitted, Intended, Place } from './admission.ts'
import type { CreateOptions, NewRecord, RecordData, StoredRecord } from '../backend.ts'
import { digestOf } from '../audit/digest.ts'
import type { Repeatable, Written } from './idempotency.ts'
import { tagRequired } from './if-match.ts'
import { checkData } from './data.ts'
import type { DataLimits } from './data.ts'
import { newRecordId } from './id.ts'
import { checkFilter } from './reads.ts'
import type { QueryLimits } from './reads.ts'
import { checkNew, patched } from './writes.ts'
import type { NewRecordRequest, RecordWritesOptions } from './writes.ts'

export interface BulkLimits extends DataLimits, QueryLimits {
  /** The most records that are created, changed or deleted at once (BULK_MAX_RECORDS). */
  maxRecords: number
}

export interface BulkCreateRequest {
  records: readonly NewRecordRequest[]
  onConflict: CreateOptions['onConflict']
  repeatable?: Repeatable | undefined
}

export interface BulkChangeRequest {
  filter: dataStore.Filter
  /** More records than that, and none is touched; 100 unless said, or what is the most of one request. */
  maxAffected?: number | undefined
  repeatable?: Repeatable | undefined
}

export interface BulkWrites {
  /** All of them or none, in their order, without their vectors. @throws as RecordWrites' `create`, naming the one that is to blame */
  createMany(user: UserPrincipal, place: Place, request: BulkCreateRequest): Promise<Written<StoredRecord[]>>
  /**
   * Patches every record that the filter lets through, all or none; how many there were.
   * Which records the filter finds tells what is in them, so it is for those only who may read as well.
   * @throws Problem `conflict` when there are more than `maxAffected`, `precondition_required` where each wants its own tag,
   *   `unprocessable` when so many may not be changed at once, or when they are too large together
   */
  patchMany(
    user: UserPrincipal,
    place: Place,
    request: BulkChangeRequest & { data: RecordData },
  ): Promise<Written<number>>
  /** Deletes them. @throws as `patchMany` */
  deleteMany(user: UserPrincipal, place: Place, request: BulkChangeRequest): Promise<Written<number>>
}

/** What somebody may do to many records at once. All throw what Admission and Idempotency do. */
export function createBulkWrites(options: RecordWritesOptions & { limits: BulkLimits }): BulkWrites {
  const { admission, journal, idempotency, limits } = options

  /** The ids of the records that were changed. */
  async function change(
    user: UserPrincipal,
    place: Place,
    action: string,
    { filter, repeatable, maxAffected = Math.min(USUAL_MAX_AFFECTED, limits.maxRecords) }: BulkChangeRequest,
    work: (who: Admitted, maxAffected: number) => Promise<string[]>,
  ): Promise<Written<number>> {
    const intended: Intended = { action, needs: 'readWrite', details: { filter_digest: digestOf(filter) } }
    const who = await admission.admit(user, place, intended)
    const { backend, operation } = who
    const checked = async () => {
      if (operation.collection.requireIfMatch) throw tagRequired(operation.collection)
      if (maxAffected > limits.maxRecords) throw tooManyToChange(maxAffected, limits.maxRecords)
      checkFilter(filter, limits)
      return work(who, maxAffected)
    }
    return idempotency.once(operation, repeatable, async () => {
      const ids = await journal.write(backend, operation, checked)
      return ids.length
    })
  }

  return {
    async createMany(user, place, { records: given, onConflict, repeatable }) {
      if (given.length > limits.maxRecords) throw tooMany(given.length, limits.maxRecords)
      const records = given.map(({ id = newRecordId(), data }, at): NewRecord => {
        return { id, data, name: `records[${String(at)}].data` }
      })
      const { backend, operation } = await admission.admit(user, place, {
        action: onConflict === 'replace' ? 'record.upsert' : 'record.create',
        needs: onConflict === 'replace' ? 'readWrite' : 'write',
        details: { ids: records.map(({ id }) => id) },
        owners: given.map(({ owner }) => owner),
      })
      const { collection } = operation
      const create = () => {
        if (onConflict === 'replace' && collection.requireIfMatch) throw tagRequired(collection)
        refuseRepeated(records)
        for (const { data, name } of records) checkNew(collection, data, name, limits)
        return backend.create(operation, records, { includeVector: false, onConflict })
      }
      return idempotency.once(operation, repeatable, () =>
        journal.write(backend, operation, async () => create()),
      )
    },

    patchMany(user, place, { data, ...request }) {
      return change(user, place, 'record.patch', request, ({ backend, operation }, maxAffected) => {
        checkData(data, 'data', limits)
        const patch = (before: StoredRecord) => patched(operation.collection, before.data, data, limits)
        return backend.updateMany(operation, request.filter, patch, maxAffected)
      })
    },

    deleteMany(user, place, request) {
      return change(user, place, 'record.delete', request, ({ backend, operation }, maxAffected) =>
        backend.deleteMany(operation, request.filter, maxAffected),
      )
    },
  }
}

/** How many records a bulk change may touch where nothing is said. */
const USUAL_MAX_AFFECTED = 100

function refuseRepeated(records: readonly NewRecord[]): void {
  const seen = new Set<string>()
  for (const { id } of records) {
    if (seen.has(id)) throw new Problem('conflict', `The id ${id} stands twice in the request.`)
    seen.add(id)
  }
}

function tooMany(count: number, most: number): Problem {
  const detail = `records has ${String(count)} entries; ${String(most)} is the most of one request (BULK_MAX_RECORDS).`
  return new Problem('payload_too_large', detail)
}

function tooManyToChange(count: number, most: number): Problem {
  const detail = `max_affected is ${String(count)}; ${String(most)} is the most of one request (BULK_MAX_RECORDS).`
  return new Problem('unprocessable', detail)
}
