import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import type { Admission, Admitted, Need, Place } from './admission.ts'
import type { CreateOptions, NewRecord, RecordData, StoredRecord } from '../backend.ts'
import type { Idempotency, Repeatable, Written } from './idempotency.ts'
import { permitFor } from './if-match.ts'
import type { Preconditions } from './if-match.ts'
import type { Journal } from '../audit/journal.ts'
import { mergePatch } from './merge-patch.ts'
import { checkData } from './data.ts'
import type { DataLimits } from './data.ts'
import { newRecordId } from './id.ts'
import { missing } from './reads.ts'

/** What every write may come with. */
export interface WriteRequest {
  /** Whose record it is, by whoever asks: anybody but themselves is refused. */
  owner?: string | undefined
  /** When it may be sent again, and must not be done again. */
  repeatable?: Repeatable | undefined
}

export interface NewRecordRequest extends WriteRequest {
  /** Made here when there is none. */
  id?: string | undefined
  data: RecordData
}

export interface DeleteRequest extends WriteRequest, Preconditions {
  id: string
}

export interface ChangeRequest extends DeleteRequest {
  data: RecordData
}

export interface RecordWrites {
  /** @throws Problem `conflict`, `unprocessable`, `payload_too_large` */
  create(user: UserPrincipal, place: Place, request: NewRecordRequest): Promise<Written<StoredRecord>>
  /**
   * The record with other data and the next version. Whether there is one comes before whether the preconditions hold, so that
   * nobody learns of another's. Its answer tells what is there, so it is for those only who may read as well.
   * @throws Problem as `create`, `not_found`, `precondition_failed`, `precondition_required` where the collection wants `ifMatch`
   */
  replace(user: UserPrincipal, place: Place, request: ChangeRequest): Promise<Written<StoredRecord>>
  /** As `replace`, and creates the record, in version 1, where there is none; where `ifMatch` wants one, `precondition_failed`. */
  upsert(user: UserPrincipal, place: Place, request: ChangeRequest): Promise<Written<StoredRecord>>
  /** As `replace`, `data` being a JSON Merge Patch. */
  patch(user: UserPrincipal, place: Place, request: ChangeRequest): Promise<Written<StoredRecord>>
  /** Its answer tells nothing. @throws Problem as `replace` */
  delete(user: UserPrincipal, place: Place, request: DeleteRequest): Promise<Written<null>>
}

export interface RecordWritesOptions {
  admission: Admission
  journal: Journal
  idempotency: Idempotency
  limits: DataLimits
}

/** What somebody may do to one record. All throw what Admission and Idempotency do. */
export function createRecordWrites(options: RecordWritesOptions): RecordWrites {
  const { admission, journal, idempotency, limits } = options

  /** Runs `work` for whoever may do it, once. */
  async function write<T extends StoredRecord | null>(
    user: UserPrincipal,
    place: Place,
    what: { action: string; needs: Need; id: string; request: WriteRequest },
    work: (who: Admitted) => Promise<T>,
  ): Promise<Written<T>> {
    const { action, needs, id, request } = what
    const intended = { action, needs, id, owners: [request.owner] }
    const who = await admission.admit(user, place, intended)
    const { backend, operation } = who
    return idempotency.once(operation, request.repeatable, () =>
      journal.write(backend, operation, () => work(who)),
    )
  }

  async function createOne(who: Admitted, record: Omit<NewRecord, 'name'>, onConflict: OnConflict) {
    const { backend, operation } = who
    checkNew(operation.collection, record.data, 'data', limits)
    const created = await backend.create(operation, [{ ...record, name: 'data' }], {
      includeVector: true,
      onConflict,
    })
    if (!created[0]) throw new Error(`the backend ${operation.collection.backend} gave no record back`)
    return created[0]
  }

  const changeOne = async (
    { backend, operation }: Admitted,
    request: ChangeRequest,
    change: (before: RecordData) => RecordData,
  ) => {
    const permit = permitFor(operation.collection, request)
    return backend.update(operation, request.id, (current) => {
      permit(current)
      return change(current.data)
    })
  }

  return {
    create(user, place, { id = newRecordId(), data, ...request }) {
      return write(user, place, { action: 'record.create', needs: 'write', id, request }, (who) =>
        createOne(who, { id, data }, 'error'),
      )
    },

    replace(user, place, request) {
      const { id, data } = request
      return write(
        user,
        place,
        { action: 'record.replace', needs: 'readWrite', id, request },
        async (who) => {
          checkNew(who.operation.collection, data, 'data', limits)
          return (await changeOne(who, request, () => data)) ?? missing(id, place)
        },
      )
    },

    upsert(user, place, request) {
      const { id, data, ifMatch, ifNoneMatch } = request
      return write(user, place, { action: 'record.upsert', needs: 'readWrite', id, request }, async (who) => {
        const { collection } = who.operation
        checkNew(collection, data, 'data', limits)
        if (ifMatch) return (await changeOne(who, request, () => data)) ?? nothingToMatch(id, place)
        if (!collection.requireIfMatch && !ifNoneMatch) return createOne(who, { id, data }, 'replace')
        // What is new needs no tag; what is there is replaced when the preconditions let it be.
        return createOne(who, { id, data }, 'error').catch(async (error: unknown) => {
          if (!(error instanceof Problem) || error.code !== 'conflict') throw error
          return (await changeOne(who, request, () => data)) ?? Promise.reject(error)
        })
      })
    },

    patch(user, place, request) {
      const { id, data } = request
      return write(user, place, { action: 'record.patch', needs: 'readWrite', id, request }, async (who) => {
        checkData(data, 'data', limits)
        const { collection } = who.operation
        const change = (before: RecordData) => patched(collection, before, data, limits)
        return (await changeOne(who, request, change)) ?? missing(id, place)
      })
    },

    delete(user, place, request) {
      const { id } = request
      const what = { action: 'record.delete', needs: 'write', id, request } as const
      return write(user, place, what, async ({ backend, operation }) => {
        const permit = permitFor(operation.collection, request)
        if (!(await backend.delete(operation, id, permit))) missing(id, place)
        return null
      })
    },
  }
}

type OnConflict = CreateOptions['onConflict']
type Collection = Admitted['operation']['collection']

/** @throws Problem `payload_too_large` or `unprocessable`, naming the place */
export function checkNew(collection: Collection, data: RecordData, name: string, limits: DataLimits): void {
  checkData(data, name, limits)
  collection.validate(data, name)
}

/** What `before` is after the patch, held to what a new record is held to. @throws as checkNew */
export function patched(
  collection: Collection,
  before: RecordData,
  patch: RecordData,
  limits: DataLimits,
): RecordData {
  const data = mergePatch(before, patch)
  checkNew(collection, data, 'data', limits)
  return data
}

function nothingToMatch(id: string, { collection }: Place): never {
  const detail = `You have no record ${id} in ${collection}, so that no ETag of it can match.`
  throw new Problem('precondition_failed', detail)
}
