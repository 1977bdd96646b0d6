import type { dataStore } from '@waybill/contracts'
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { isTime } from '../../query/time.ts'
import { fieldSql, textIn } from './field-sql.ts'
import type { FieldSql } from './field-sql.ts'

/** A condition that is true or false for every row, never null. */
export type Condition = RawBuilder<boolean>

const ALWAYS: Condition = sql`true`
const NEVER: Condition = sql`false`

/** What ../../query/evaluate.ts says of a filter, in SQL; whatever comes from outside is a parameter. */
export function filterSql(filter: dataStore.Filter): Condition {
  if ('and' in filter) return joined(filter.and.map(filterSql), sql` and `)
  if ('or' in filter) return joined(filter.or.map(filterSql), sql` or `)
  if ('not' in filter) return sql`not (${filterSql(filter.not)})`
  const field = fieldSql(filter.field)
  switch (filter.op) {
    case 'eq':
      return equals(field, filter.value)
    case 'ne':
      return sql`not (${equals(field, filter.value)})`
    case 'in':
      return isOneOf(field, filter.value)
    case 'contains':
      return contains(field, filter.value)
    case 'prefix':
      return startsWith(field, filter.value)
    case 'is_null':
      return field.kind === 'json' ? sql`coalesce(jsonb_typeof(${field.json}) = 'null', true)` : NEVER
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      return compares(field, filter.op, filter.value)
  }
}

function joined(conditions: readonly Condition[], by: RawBuilder<unknown>): Condition {
  return sql`(${sql.join(conditions, by)})`
}

/** Texts that no record can hold are equal to none, and Postgres would not take them. */
function canBeKept(value: dataStore.Scalar): boolean {
  return typeof value !== 'string' || (!value.includes('\0') && value.isWellFormed())
}

function equals(field: FieldSql, value: dataStore.Scalar): Condition {
  return isOneOf(field, [value])
}

function isOneOf(field: FieldSql, given: readonly dataStore.Scalar[]): Condition {
  const values = given.filter(canBeKept)
  switch (field.kind) {
    case 'json': {
      // jsonb compares as JSON does: by type, and numbers by their value.
      const [only] = values
      if (only === undefined) return NEVER
      if (values.length === 1) return sql`coalesce(${field.json} = ${JSON.stringify(only)}::jsonb, false)`
      const all = values.map((value) => JSON.stringify(value))
      return sql`coalesce(${field.json} = any (${all}::text[]::jsonb[]), false)`
    }
    case 'text':
    case 'time': {
      const texts = values.filter((value) => typeof value === 'string')
      if (field.kind === 'time') {
        const times = texts.filter(isTime)
        return times.length === 0 ? NEVER : sql`${field.column} = any (${times}::timestamptz[])`
      }
      return texts.length === 0 ? NEVER : sql`${field.text} = any (${texts}::text[])`
    }
    case 'number': {
      const numbers = values.filter((value) => typeof value === 'number').map(String)
      return numbers.length === 0 ? NEVER : sql`${field.number} = any (${numbers}::text[]::numeric[])`
    }
    case 'object':
      return NEVER
  }
}

function contains(field: FieldSql, value: dataStore.Scalar): Condition {
  if (!canBeKept(value)) return NEVER
  if (field.kind === 'json') {
    const inText = typeof value === 'string' ? sql`strpos(${textIn(field.json)}, ${value}) > 0` : NEVER
    return sql`case jsonb_typeof(${field.json})
      when 'array' then ${field.json} @> ${JSON.stringify(value)}::jsonb
      when 'string' then ${inText}
      else false end`
  }
  if (typeof value !== 'string' || (field.kind !== 'text' && field.kind !== 'time')) return NEVER
  return sql`strpos(${field.text}, ${value}) > 0`
}

function startsWith(field: FieldSql, value: string): Condition {
  if (!canBeKept(value)) return NEVER
  if (field.kind === 'json') {
    return sql`case when jsonb_typeof(${field.json}) = 'string' then starts_with(${textIn(field.json)}, ${value}) else false end`
  }
  return field.kind === 'text' || field.kind === 'time' ? sql`starts_with(${field.text}, ${value})` : NEVER
}

type Comparator = 'lt' | 'le' | 'gt' | 'ge'

const OPERATORS = { lt: sql`<`, le: sql`<=`, gt: sql`>`, ge: sql`>=` } satisfies Record<Comparator, unknown>

function compares(field: FieldSql, op: Comparator, value: string | number): Condition {
  if (typeof value === 'number') {
    const number = sql`${String(value)}::numeric`
    if (field.kind === 'number') return sql`${field.number} ${OPERATORS[op]} ${number}`
    return field.kind === 'json'
      ? sql`case when jsonb_typeof(${field.json}) = 'number' then (${field.json})::numeric ${OPERATORS[op]} ${number} else false end`
      : NEVER
  }
  if (field.kind === 'time' && isTime(value))
    return sql`${field.column} ${OPERATORS[op]} ${value}::timestamptz`
  const bound = boundOf(op, value)
  const comparison = sql`${OPERATORS[bound.op]} ${bound.text}`
  if (field.kind === 'json') {
    return sql`case when jsonb_typeof(${field.json}) = 'string' then ${textIn(field.json)} ${comparison} else false end`
  }
  return field.kind === 'text' || field.kind === 'time' ? sql`${field.text} ${comparison}` : NEVER
}

/** Postgres takes no NUL. What is before `a<NUL>...` is what is not after `a`: no text is in between. */
function boundOf(op: Comparator, text: string): { op: Comparator; text: string } {
  const at = text.indexOf('\0')
  if (at < 0) return { op, text }
  return { op: op === 'lt' || op === 'le' ? 'le' : 'gt', text: text.slice(0, at) }
}

/** All of them. */
export function allOf(conditions: readonly Condition[]): Condition {
  return conditions.length === 0 ? ALWAYS : joined(conditions, sql` and `)
}
