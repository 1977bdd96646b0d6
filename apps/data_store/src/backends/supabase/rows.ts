import { z } from 'zod'
import type { Operation, RecordData, StoredRecord } from '../../backend.ts'
import { unexpectedForm } from './problems.ts'
import type { RestAnswer } from './rest-answer.ts'

/** What is asked for of a record. */
export const SELECT = ['select', 'id,data,version,owner,created_at,updated_at'] as const

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
function owned<R extends StoredRecord>(records: R[], { owner }: Operation): R[] {
  if (records.every((record) => record.owner === owner)) return records
  throw unexpectedForm()
}
