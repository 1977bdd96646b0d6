import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import type { Backend, Backends, NewRecord, Operation, RecordData, StoredRecord } from './backend.ts'
import { cursorAfter, readCursor } from './cursor.ts'
import { permitFor } from './if-match.ts'
import type { IfMatch } from './if-match.ts'
import type { Journal } from './journal.ts'
import { mergePatch } from './merge-patch.ts'
import { checkData } from './record-data.ts'
import type { DataLimits } from './record-data.ts'
import { newRecordId } from './record-id.ts'

/** Where: a collection in one of the backends. */
interface Place {
  backend: string
  collection: string
}

interface Page {
  items: StoredRecord[]
  next_cursor: string | null
}

export interface Records {
  /** @throws Problem `conflict`, `unprocessable`, `payload_too_large` */
  create(user: UserPrincipal, place: Place, given: GivenRecord): Promise<StoredRecord>
  /** All of them or none, in their order, without their vectors. @throws as `create`, naming the one that is to blame */
  createMany(user: UserPrincipal, place: Place, given: readonly GivenRecord[]): Promise<StoredRecord[]>
  /** @throws Problem `not_found`, also for what is another user's */
  read(user: UserPrincipal, place: Place, id: string): Promise<StoredRecord>
  list(user: UserPrincipal, place: Place, page: PageRequest): Promise<Page>
  /**
   * The record with other data and the next version. Whether there is one comes before whether `ifMatch` holds, so that nobody
   * learns of another user's.
   * @throws Problem as `create`, `not_found`, `precondition_failed`, `precondition_required` where the collection wants `ifMatch`
   */
  replace(user: UserPrincipal, place: Place, id: string, change: GivenChange): Promise<StoredRecord>
  /** As `replace`, `data` being a JSON Merge Patch. */
  patch(user: UserPrincipal, place: Place, id: string, change: GivenChange): Promise<StoredRecord>
  /** @throws Problem as `replace` */
  delete(user: UserPrincipal, place: Place, id: string, ifMatch: IfMatch | undefined): Promise<void>
  /** @throws Problem `not_implemented` where there is no search by vector, `unprocessable` for a vector that does not fit */
  search(
    user: UserPrincipal,
    place: Place,
    query: SearchRequest,
  ): Promise<(StoredRecord & { score: number })[]>
}

interface GivenRecord {
  /** Made here when there is none. */
  id?: string | undefined
  data: RecordData
}

interface GivenChange {
  data: RecordData
  ifMatch: IfMatch | undefined
}

interface PageRequest {
  limit: number
  cursor?: string | undefined
  includeVector: boolean
}

interface SearchRequest {
  vector: number[]
  limit: number
  includeVector: boolean
}

interface Update {
  action: string
  /** As it came, to be held to the limits by itself. */
  given: RecordData
  ifMatch: IfMatch | undefined
  change: (before: RecordData) => RecordData
}

export interface RecordLimits extends DataLimits {
  /** The most records that are created at once. */
  maxRecords: number
  /** The collections, as `backend/collection`, in which nothing is changed or deleted without If-Match. */
  requireIfMatch: readonly string[]
}

/** A user's records. Each function throws Problem `not_found` or `not_implemented` for a backend that is not there. */
export function createRecords(backends: Backends, journal: Journal, limits: RecordLimits): Records {
  const createAll = (
    backend: Backend,
    operation: Operation,
    records: readonly NewRecord[],
    options: { includeVector: boolean },
  ) =>
    journal.write(backend, operation, () => {
      refuseRepeated(records)
      for (const { data, name } of records) checkData(data, name, limits)
      return backend.create(operation, records, options)
    })

  const update = async (
    user: UserPrincipal,
    place: Place,
    id: string,
    { action, given, ifMatch, change }: Update,
  ): Promise<StoredRecord> => {
    const backend = backendFor(backends, place.backend)
    const permit = permitFor(place, ifMatch, limits.requireIfMatch)
    const operation = operationOn(user, place, action, id)
    return journal.write(backend, operation, async () => {
      checkData(given, 'data', limits)
      const updated = await backend.update(operation, id, (current) => {
        permit(current)
        return change(current.data)
      })
      return updated ?? missing(id, place)
    })
  }

  return {
    async create(user, place, { id = newRecordId(), data }) {
      const backend = backendFor(backends, place.backend)
      const operation = operationOn(user, place, 'record.create', id)
      const named = [{ id, data, name: 'data' }]
      const [record] = await createAll(backend, operation, named, { includeVector: true })
      if (!record) throw new Error(`the backend ${place.backend} gave no record back`)
      return record
    },

    async createMany(user, place, given) {
      const backend = backendFor(backends, place.backend)
      if (given.length > limits.maxRecords) throw tooMany(given.length, limits.maxRecords)
      const records = given.map(({ id = newRecordId(), data }, at) => {
        const name = `records[${String(at)}].data`
        return { id, data, name }
      })
      const { succeeded, ...where } = operationOn(user, place, 'record.create')
      const operation = { ...where, succeeded: { ...succeeded, details: { ids: idsOf(records) } } }
      return createAll(backend, operation, records, { includeVector: false })
    },

    async read(user, place, id) {
      const backend = backendFor(backends, place.backend)
      const operation = operationOn(user, place, 'record.read', id)
      const read = async () => (await backend.read(operation, id)) ?? missing(id, place)
      return journal.read(operation, read, ({ version }) => ({ version }))
    },

    async list(user, place, { limit, cursor, includeVector }) {
      const backend = backendFor(backends, place.backend)
      const operation = operationOn(user, place, 'record.list')
      const after = readCursor(cursor)
      // One more than asked for tells whether there is another page.
      const list = () => backend.list(operation, { limit: limit + 1, after, includeVector })
      const found = await journal.read(operation, list, (rows) => ({ ids: idsOf(rows.slice(0, limit)) }))
      const items = found.slice(0, limit)
      const last = items.at(-1)
      return { items, next_cursor: found.length > limit && last ? cursorAfter(last.id) : null }
    },

    replace: (user, place, id, { data, ifMatch }) =>
      update(user, place, id, { action: 'record.replace', given: data, ifMatch, change: () => data }),

    patch(user, place, id, { data: given, ifMatch }) {
      const change = (before: RecordData) => {
        const data = mergePatch(before, given)
        checkData(data, 'data', limits)
        return data
      }
      return update(user, place, id, { action: 'record.patch', given, ifMatch, change })
    },

    async delete(user, place, id, ifMatch) {
      const backend = backendFor(backends, place.backend)
      const permit = permitFor(place, ifMatch, limits.requireIfMatch)
      const operation = operationOn(user, place, 'record.delete', id)
      await journal.write(backend, operation, async () => {
        if (!(await backend.delete(operation, id, permit))) missing(id, place)
      })
    },

    async search(user, place, query) {
      const backend = backendFor(backends, place.backend)
      const operation = operationOn(user, place, 'record.search')
      const search = async () => {
        if (backend.search) return backend.search(operation, query)
        throw new Problem('not_implemented', `The backend ${place.backend} has no search by vector.`)
      }
      return journal.read(operation, search, (rows) => ({ ids: idsOf(rows) }))
    },
  }
}

function backendFor(backends: Backends, name: string): Backend {
  const backend = backends.get(name)
  if (backend) return backend
  if (backends.has(name)) throw new Problem('not_implemented', `The backend ${name} is not configured.`)
  throw new Problem('not_found', `There is no backend ${name}; there is ${[...backends.keys()].join(', ')}.`)
}

function operationOn(principal: UserPrincipal, place: Place, action: string, id?: string): Operation {
  const { backend, collection } = place
  const resource = [backend, collection, ...(id === undefined ? [] : [id])].join('/')
  return { principal, collection, succeeded: { action, resource, outcome: 'success' } }
}

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

function idsOf(records: readonly { id: string }[]): string[] {
  return records.map(({ id }) => id)
}

function missing(id: string, place: Place): never {
  throw new Problem('not_found', `You have no record ${id} in ${place.collection}.`)
}
