import { dataStore } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import type { z } from 'zod'
import type { Admission, Admitted, Intended, Place } from './admission.ts'
import type { SearchMode, SearchRequest, StoredRecord } from '../backend.ts'
import { digestOf } from '../audit/digest.ts'
import type { Journal } from '../audit/journal.ts'
import { cursorAfter, howManyWithin, readCursor, sortKeys } from '../query/page.ts'
import { selectMembers } from '../query/select.ts'
import { checkValues } from './data.ts'

export interface PageRequest {
  limit: number
  cursor?: string | undefined
  filter?: dataStore.Filter | undefined
  /** `-data.due`: fields, with a minus before those in descending order. */
  order?: readonly string[] | undefined
  /** What of `data` is given back; all of it unless said. */
  select?: readonly string[] | undefined
  count: z.output<typeof dataStore.countMode>
  includeVector: boolean
}

export interface Page {
  items: StoredRecord[]
  next_cursor: string | null
  /** null when it was not asked. */
  count: number | null
}

type ScoredRecord = StoredRecord & { score: number }

export interface RecordReads {
  /** @throws Problem `not_found`, also for what is somebody else's */
  read(user: UserPrincipal, place: Place, id: string): Promise<StoredRecord>
  /** Ends before `limit` where there are too many bytes. @throws Problem `bad_request` for a cursor of another query, `unprocessable` for a filter that cannot be answered */
  query(user: UserPrincipal, place: Place, page: PageRequest): Promise<Page>
  /** The best first. @throws Problem `not_implemented` where there is no such search, `unprocessable` for a vector that does not fit */
  search(user: UserPrincipal, place: Place, request: SearchRequest): Promise<ScoredRecord[]>
}

interface RecordReadsOptions {
  admission: Admission
  journal: Journal
  limits: PageLimits
}

export interface QueryLimits {
  /** The most comparisons in a filter. */
  maxConditions: number
}

export interface PageLimits extends QueryLimits {
  /** The most bytes of records in a page, as JSON, save for a single one that is longer (PAGE_MAX_BYTES). */
  maxPageBytes: number
}

/** What somebody may see of a collection. All throw what Admission does. */
export function createRecordReads({ admission, journal, limits }: RecordReadsOptions): RecordReads {
  const admitted = (user: UserPrincipal, place: Place, intended: Omit<Intended, 'needs'>) =>
    admission.admit(user, place, { ...intended, needs: 'read' })

  return {
    async read(user, place, id) {
      const { backend, operation, hasOwner } = await admitted(user, place, { action: 'record.read', id })
      const read = async () =>
        (hasOwner ? await backend.read(operation, id) : undefined) ?? missing(id, place)
      return journal.read(operation, read, ({ version }) => ({ version }))
    },

    async query(user, place, request) {
      const { filter, limit } = request
      const details = filter && { filter_digest: digestOf(filter) }
      const who = await admitted(user, place, { action: 'record.list', ...(details && { details }) })
      return journal.read(
        who.operation,
        async () => {
          if (filter) checkFilter(filter, limits)
          const asked = { operation: who.operation, filter, order: sortKeys(request.order) }
          const after = readCursor(request.cursor, asked)
          const { order } = asked
          const [found, count] = await Promise.all([
            // One more than asked for tells whether there is another page.
            ifOwner(who, [], ({ backend, operation }) =>
              backend.find(operation, {
                filter,
                order,
                after,
                limit: limit + 1,
                includeVector: request.includeVector,
              }),
            ),
            counted(who, filter, request.count),
          ])
          const selected = selectMembers(found.slice(0, limit), request.select)
          const items = selected.slice(0, howManyWithin(limits.maxPageBytes, selected))
          const last = found[items.length - 1]
          const next_cursor = found.length > items.length && last ? cursorAfter(last, asked) : null
          return { items, next_cursor, count }
        },
        ({ items }) => ({ ids: idsOf(items) }),
      )
    },

    async search(user, place, request) {
      const { text, vector } = request
      const details = { query_digest: digestOf({ text, vector }) }
      const who = await admitted(user, place, { action: 'record.search', details })
      return journal.read(
        who.operation,
        async () => {
          const mode = modeOf(request)
          const { searchModes } = who.backend
          if (!searchModes.includes(mode)) throw noSearch(place, mode, searchModes)
          checkValues(request.text, 'text')
          return ifOwner(who, [], async ({ backend, operation }) => {
            return (await backend.search?.(operation, request)) ?? []
          })
        },
        (rows) => ({ ids: idsOf(rows) }),
      )
    },
  }
}

/** @throws Problem `unprocessable` when there are too many comparisons, or one of a text that no store can hold */
export function checkFilter(filter: dataStore.Filter, { maxConditions }: QueryLimits): void {
  const count = conditionsIn(filter)
  if (count > maxConditions) {
    const detail = `filter has ${String(count)} conditions; ${String(maxConditions)} is the most (FILTER_MAX_CONDITIONS).`
    throw new Problem('unprocessable', detail)
  }
  checkValues(filter, 'filter')
}

/** As deep as it is the stack: the contract has seen to that. The values of `in` count one by one. */
function conditionsIn(filter: dataStore.Filter): number {
  const sum = (parts: readonly dataStore.Filter[]) =>
    parts.reduce((total, part) => total + conditionsIn(part), 0)
  if ('and' in filter) return sum(filter.and)
  if ('or' in filter) return sum(filter.or)
  if ('not' in filter) return conditionsIn(filter.not)
  return filter.op === 'in' ? filter.value.length : 1
}

async function counted(
  who: Admitted,
  filter: dataStore.Filter | undefined,
  mode: PageRequest['count'],
): Promise<number | null> {
  if (mode === 'none') return null
  const count = await ifOwner(who, 0, ({ backend, operation }) => backend.count(operation, filter, mode))
  return mode === 'planned' ? Math.min(count, dataStore.PLANNED_COUNT_CEILING) : count
}

/** `otherwise` where nothing can belong to whoever asks. */
async function ifOwner<T>(who: Admitted, otherwise: T, ask: (who: Admitted) => Promise<T>): Promise<T> {
  return who.hasOwner ? ask(who) : otherwise
}

function modeOf({ text, vector }: SearchRequest): SearchMode {
  if (vector === undefined) return 'text'
  return text === undefined ? 'vector' : 'hybrid'
}

function noSearch({ backend }: Place, mode: SearchMode, modes: readonly SearchMode[]): Problem {
  const what = modes.length === 0 ? 'no search' : `search by ${modes.join(' and ')} only`
  return new Problem('not_implemented', `The backend ${backend} has ${what}, so none by ${mode}.`)
}

function idsOf(records: readonly { id: string }[]): string[] {
  return records.map(({ id }) => id)
}

/** @throws Problem `not_found` */
export function missing(id: string, { collection }: Place): never {
  throw new Problem('not_found', `You have no record ${id} in ${collection}.`)
}
