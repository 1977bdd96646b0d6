import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Position, SortKey, SortValue } from '../../query/query.ts'
import { isTime } from '../../query/time.ts'
import { fieldSql, textIn } from './field-sql.ts'
import type { Condition } from './filter-sql.ts'

type Expression = RawBuilder<unknown>

/** One thing that Postgres sorts by. `value` is where it stands in a position. Neither is ever null. */
interface SortTerm {
  expression: Expression
  descending: boolean
  value?: Expression
}

/** What stands after `order by`. */
export function orderSql(order: readonly SortKey[]): Expression {
  const terms = order.flatMap((key) => termsOf(key))
  return sql.join(
    terms.map(({ expression, descending }) => (descending ? sql`${expression} desc` : expression)),
  )
}

/** Whether a row comes after `position` in `order`. */
export function afterSql(order: readonly SortKey[], position: Position): Condition {
  const terms = order.flatMap((key, at) => termsOf(key, position[at] ?? [4]))
  return afterTerms(terms)
}

/**
 * Terms of one direction are compared as one row, which an index can do. Where the direction changes, what is before the change
 * decides, and what comes after it does so among equals.
 */
function afterTerms(terms: readonly SortTerm[]): Condition {
  const [first] = terms
  if (!first) return sql`false`
  const change = terms.findIndex(({ descending }) => descending !== first.descending)
  const alike = change < 0 ? terms : terms.slice(0, change)
  const columns = sql`(${sql.join(alike.map(({ expression }) => expression))})`
  const values = sql`(${sql.join(alike.map(({ value }) => value))})`
  const beyond = first.descending ? sql`<` : sql`>`
  if (change < 0) return sql`${columns} ${beyond} ${values}`
  // The first condition follows from the second; it is what an index begins with.
  return sql`(${columns} ${beyond}= ${values}
    and (${columns} ${beyond} ${values} or ${afterTerms(terms.slice(change))}))`
}

function termsOf({ field: name, descending }: SortKey, at?: SortValue): SortTerm[] {
  const field = fieldSql(name)
  const term = (expression: Expression, value?: Expression): SortTerm => ({
    expression,
    descending,
    ...(value && { value }),
  })
  // By the column alone: all are of one rank, and an index may be in that order.
  if (field.kind === 'text' && (!at || at[0] === 1)) return [term(field.text, at && textValue(at))]
  if (field.kind === 'time' && !at) return [term(field.column)]
  if (field.kind === 'time' && at?.[0] === 1 && isTime(at[1]))
    return [term(field.column, sql`${at[1]}::timestamptz`)]
  if (field.kind === 'number' && (!at || at[0] === 0)) return [term(field.number, at && numberValue(at))]
  if (field.kind === 'object' && !at) return [] // all alike

  // Every value as rank, number and text, of which those that do not belong to the rank are the same for all.
  const [rank, number, text] =
    field.kind === 'json'
      ? jsonTerms(field.json)
      : field.kind === 'number'
        ? [sql`0`, field.number, sql`''`]
        : field.kind === 'object'
          ? [sql`3`, sql`0`, sql`''`]
          : [sql`1`, sql`0`, field.text]
  return [
    term(sql`(${rank})`, at && sql`${at[0]}::int`),
    term(sql`(${number})::numeric`, at && numberValue(at)),
    term(sql`(${text}) collate "C"`, at && textValue(at)),
  ]
}

function jsonTerms(json: Expression): [Expression, Expression, Expression] {
  const type = sql`jsonb_typeof(${json})`
  return [
    sql`case ${type} when 'number' then 0 when 'string' then 1 when 'boolean' then 2 when 'array' then 3 when 'object' then 3 else 4 end`,
    sql`case ${type} when 'number' then (${json})::numeric when 'boolean' then (${json})::boolean::int else 0 end`,
    sql`case ${type} when 'string' then ${textIn(json)} else '' end`,
  ]
}

function numberValue(at: SortValue): Expression {
  const number = at[0] === 0 || at[0] === 2 ? Number(at[1]) : 0
  return sql`${String(number)}::numeric`
}

/** Up to a NUL, which no record holds: only a position that was never one has it. */
function textValue(at: SortValue): Expression {
  return sql`${at[0] === 1 ? (at[1].split('\0', 1)[0] ?? '') : ''}::text`
}
