import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import type { Backend, Backends, Operation, RecordData, StoredRecord } from './backend.ts'
import { cursorAfter, readCursor } from './cursor.ts'
import type { Journal } from './journal.ts'
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
  create(
    user: UserPrincipal,
    place: Place,
    given: { id?: string | undefined; data: RecordData },
  ): Promise<StoredRecord>
  /** @throws Problem `not_found`, also for what is another user's */
  read(user: UserPrincipal, place: Place, id: string): Promise<StoredRecord>
  list(user: UserPrincipal, place: Place, page: PageRequest): Promise<Page>
  /** @throws Problem `not_found`, also for what is another user's */
  delete(user: UserPrincipal, place: Place, id: string): Promise<void>
  /** @throws Problem `not_implemented` where there is no search by vector, `unprocessable` for a vector that does not fit */
  search(
    user: UserPrincipal,
    place: Place,
    query: SearchRequest,
  ): Promise<(StoredRecord & { score: number })[]>
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

/** A user's records. Each function throws Problem `not_found` or `not_implemented` for a backend that is not there. */
export function createRecords(backends: Backends, journal: Journal, limits: DataLimits): Records {
  return {
    async create(user, place, { id = newRecordId(), data }) {
      const backend = backendFor(backends, place.backend)
      const operation = operationOn(user, place, 'record.create', id)
      return journal.write(backend, operation, () => {
        checkData(data, limits)
        return backend.create(operation, id, data)
      })
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

    async delete(user, place, id) {
      const backend = backendFor(backends, place.backend)
      const operation = operationOn(user, place, 'record.delete', id)
      await journal.write(backend, operation, async () => {
        if (!(await backend.delete(operation, id))) missing(id, place)
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

function idsOf(records: readonly StoredRecord[]): string[] {
  return records.map(({ id }) => id)
}

function missing(id: string, place: Place): never {
  throw new Problem('not_found', `You have no record ${id} in ${place.collection}.`)
}
