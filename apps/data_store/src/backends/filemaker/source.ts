import type { dataStore } from '@waybill/contracts'
import { AnswerTooLongError } from '@waybill/http-client'
import type { Operation } from '../../backend.ts'
import type { Batches } from '../../query/scan.ts'
import { exactly } from './criterion.ts'
import type { DataApi, FindRequest } from './data-api.ts'
import { FIELD, fromKept, ownerKey } from './row.ts'
import type { KeptRecord } from './row.ts'

export interface PageSizes {
  /** Records of one call, when they are short. */
  usual: number
  /** So many that the answer can be read however long they are. */
  safe: number
}

/** Finds with more requests than this are made in parts. */
const IDS_AT_ONCE = 50

/**
 * The owner's records, each id once: of two the one that was there first. With `ids` those, and others that FileMaker takes for
 * them. The owner stands in every request of every find, and is looked at again in every record that comes back.
 */
export async function* recordsOf(
  api: DataApi,
  operation: Operation,
  sizes: PageSizes,
  ids?: readonly string[],
): Batches<KeptRecord> {
  const key = ownerKey(operation)
  const owner = { [FIELD.owner]: exactly(key) }
  const given = new Set<string>()
  for (const requests of findsFor(owner, ids)) {
    for await (const page of pages(api, operation.collection.table, requests, sizes)) {
      yield page
        .map((kept) => fromKept(operation, key, kept))
        .filter((record) => record !== undefined)
        .filter(({ id }) => !given.has(id) && given.add(id))
    }
  }
}

function findsFor(owner: FindRequest, ids: readonly string[] | undefined): FindRequest[][] {
  if (!ids) return [[owner]]
  const finds: FindRequest[][] = []
  for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
    finds.push(ids.slice(from, from + IDS_AT_ONCE).map((id) => ({ ...owner, [FIELD.id]: exactly(id) })))
  }
  return finds
}

/**
 * Everything that is found, in the order of creation. Pages go by number, so that a deletion would make the next one skip a
 * record: each begins with the last record of the one before, and when it does not, all is read from the start again, without
 * what was given already.
 */
async function* pages(api: DataApi, layout: string, requests: FindRequest[], sizes: PageSizes) {
  const given = new Set<string>()
  let limit = sizes.usual
  let last: string | undefined
  for (let offset = 1; ;) {
    const page = await api.find(layout, requests, { offset, limit: limit + 1 }).catch((error: unknown) => {
      if (limit <= sizes.safe || !(error instanceof AnswerTooLongError)) throw error
      return undefined
    })
    if (!page) {
      limit = sizes.safe
      continue
    }
    if (last !== undefined && page[0]?.recordId !== last) {
      last = undefined
      offset = 1
      continue
    }
    yield page.filter(({ recordId }) => !given.has(recordId) && given.add(recordId))
    if (page.length <= limit) return
    offset += limit
    last = page.at(-1)?.recordId
  }
}

/** The ids that a filter asks for, when it lets through no others. */
export function idsIn(filter: dataStore.Filter | undefined): string[] | undefined {
  if (!filter) return undefined
  if ('and' in filter) return filter.and.map(idsIn).find((ids) => ids !== undefined)
  if (!('field' in filter) || filter.field !== 'id') return undefined
  if (filter.op === 'eq') return [filter.value].filter(isText)
  return filter.op === 'in' ? [...new Set(filter.value.filter(isText))] : undefined
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
