import { z } from 'zod'
import type { Operation, RecordData, StoredRecord } from '../../backend.ts'
import { unexpectedForm } from './problems.ts'
import type { RestAnswer } from '@waybill/http-client'

/** What is asked for of a record. */
export const SELECT = ['select', 'id,data,version,owner,created_at,updated_at'] as const
/** As SELECT, of one that is only to be deleted. */
export const SELECT_VERSION = ['select', 'id,version,owner'] as const
/** As SELECT, of one that a search has found. */
export const SELECT_HIT = ['select', 'id,owner,score'] as const

/** A record as somebody saw it, without what is in it. */
export interface SeenVersion {
  id: string
  version: number
}

const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text).toISOString())
/** As it came: a record of zod's would lose a member that is called `__proto__`. */
const data = z.custom<RecordData>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
)
const row = z.object({
  id: z.string(),
  data,
  version: z.int().positive(),
  owner: z.string(),
  created_at: time,
  updated_at: time,
})
const rows = z.array(row)
const scoredRows = z.array(row.extend({ score: z.number() }))
const versionRows = z.array(row.pick({ id: true, version: true, owner: true }))
const hitRows = z.array(row.pick({ id: true, owner: true }).extend({ score: z.number() }))
const idRows = z.array(z.object({ id: z.string() }))

/** The records in an answer. @throws Problem `upstream_failed` when it has another form, or records of another owner */
export function recordsIn(answer: RestAnswer, operation: Operation): StoredRecord[] {
  return owned(parsed(rows, answer), operation)
}

/** As recordsIn, with their scores. */
export function scoredRecordsIn(
  answer: RestAnswer,
  operation: Operation,
): (StoredRecord & { score: number })[] {
  return owned(parsed(scoredRows, answer), operation)
}

/** As recordsIn, of those that were found the ids and scores. */
export function hitsIn(answer: RestAnswer, operation: Operation): { id: string; score: number }[] {
  return owned(parsed(hitRows, answer), operation)
}

/** As recordsIn, without what is in the records. */
export function versionsIn(answer: RestAnswer, operation: Operation): SeenVersion[] {
  return owned(parsed(versionRows, answer), operation)
}

export function idsIn(answer: RestAnswer): string[] {
  return parsed(idRows, answer).map(({ id }) => id)
}

/** How many records there are in all, by `Content-Range`: `0-24/3573`. @throws Problem `upstream_failed` */
export function countIn({ headers }: RestAnswer): number {
  const count = /\/(\d+)$/.exec(String(headers['content-range']))?.[1]
  if (count === undefined) throw unexpectedForm()
  return Number(count)
}

function parsed<S extends z.ZodType>(schema: S, { body }: RestAnswer): z.output<S> {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  throw unexpectedForm()
}

/** The policies see to it, and so does every request; should neither, nothing gets through. */
function owned<R extends Pick<StoredRecord, 'owner'>>(records: R[], { owner }: Operation): R[] {
  if (records.every((record) => record.owner === owner)) return records
  throw unexpectedForm()
}
