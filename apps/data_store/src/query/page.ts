import { dataStore } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import { z } from 'zod'
import type { Operation, StoredRecord } from '../backend.ts'
import { digestOf } from '../audit/digest.ts'
import { isStorableText } from '../records/data.ts'
import { positionOf } from './evaluate.ts'
import type { Position, SortKey, SortValue } from './query.ts'
import { isTime } from './time.ts'

/** What a page is a page of. */
export interface Asked {
  operation: Operation
  filter: dataStore.Filter | undefined
  order: readonly SortKey[]
}

/** As the contract has it. */
const LONGEST_CURSOR = 8_192

/** The keys that the terms of an order stand for; by id at the end, which makes the order one without ties. */
export function sortKeys(terms: readonly string[] = []): SortKey[] {
  const keys: SortKey[] = []
  for (const term of [...terms, 'id']) {
    const descending = term.startsWith('-')
    const field = descending ? term.slice(1) : term
    if (keys.some((key) => key.field === field)) continue
    keys.push({ field, descending })
    if (field === 'id') break
  }
  return keys
}

/** How many of `records`, the first ones, have at most `maxBytes` together, as JSON; one at least, for a page must get on. */
export function howManyWithin(maxBytes: number, records: readonly StoredRecord[]): number {
  let bytes = 0
  const tooMuch = records.findIndex(
    (record) => (bytes += Buffer.byteLength(JSON.stringify(record))) > maxBytes,
  )
  return tooMuch < 0 ? records.length : Math.max(1, tooMuch)
}

/**
 * Where a page ended, as text without meaning to the client.
 * @throws Problem `unprocessable` when the last record's values are too long to stand in a cursor
 */
export function cursorAfter(record: StoredRecord, asked: Asked): string {
  const position = positionOf(record, asked.order)
  const cursor = Buffer.from(JSON.stringify([askedDigest(asked), ...position])).toString('base64url')
  if (cursor.length <= LONGEST_CURSOR) return cursor
  const detail = `order: the values of record ${record.id} are too long to go on after them; order by something shorter.`
  throw new Problem('unprocessable', detail)
}

/**
 * Where the page before ended.
 * @throws Problem `bad_request` when the cursor is none of ours, or of another collection, filter or order
 */
export function readCursor(cursor: string | undefined, asked: Asked): Position | undefined {
  if (cursor === undefined) return undefined
  const [of, ...values] = parsed(cursor)
  const isWhole =
    values.length === asked.order.length &&
    asked.order.every(({ field }, at) => valueOf(field).safeParse(values[at]).success)
  if (of === askedDigest(asked) && isWhole) return values as SortValue[] // each has just been looked at
  throw new Problem(
    'bad_request',
    'cursor: is not the next_cursor of a page with this collection, filter and order.',
  )
}

function parsed(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}

const text = z.string().refine(isStorableText)
const id = z.tuple([z.literal(1), dataStore.recordId])
const version = z.tuple([z.literal(0), z.int32().positive()])
const time = z.tuple([z.literal(1), z.string().refine(isTime)])
const sortValue = z.union([
  z.tuple([z.literal(0), z.number()]),
  z.tuple([z.literal(1), text]),
  z.tuple([z.literal(2), z.boolean()]),
  z.tuple([z.literal(3)]),
  z.tuple([z.literal(4)]),
])

/** The values that a field can have: a cursor that was tampered with asks no backend for anything else. */
function valueOf(field: string): z.ZodType {
  if (field === 'id') return id
  if (field === 'version') return version
  return field === 'created_at' || field === 'updated_at' ? time : sortValue
}

/** Enough of it to tell apart what one user asks for: a cursor proves nothing else. */
function askedDigest({ operation: { collection, owner }, filter, order }: Asked): string {
  const { backend, name } = collection
  return digestOf([backend, name, owner, filter ?? null, order]).slice(0, 24)
}
