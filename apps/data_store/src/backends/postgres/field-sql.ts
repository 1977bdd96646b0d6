import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'

type Expression = RawBuilder<unknown>

/** A field of a record in SQL, by what its values can be. None of the expressions is ever null but `json`, where nothing is there. */
export type FieldSql =
  | { kind: 'text'; text: Expression }
  /** Compared as it is answered, in ISO 8601, and by the column itself where an index is to be of use. */
  | { kind: 'time'; text: Expression; column: Expression }
  | { kind: 'number'; number: Expression }
  /** `data` itself, an object in every record. */
  | { kind: 'object' }
  | { kind: 'json'; json: Expression }

/** @throws TypeError for what dataStore.fieldName does not let through */
export function fieldSql(field: string): FieldSql {
  const [first = '', ...path] = field.split('.')
  switch (first) {
    case 'id':
      return { kind: 'text', text: sql`id` }
    case 'version':
      return { kind: 'number', number: sql`version::numeric` }
    case 'created_at':
      return timeSql(sql`created_at`)
    case 'updated_at':
      return timeSql(sql`updated_at`)
    case 'data':
      return path.length === 0 ? { kind: 'object' } : { kind: 'json', json: memberSql(path) }
    default:
      throw new TypeError(`There is no field ${field}.`)
  }
}

function timeSql(column: Expression): FieldSql {
  const text = sql`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') collate "C"`
  return { kind: 'time', text, column }
}

/** By `->` with a text, which finds members of objects only; `#>` would take a number for a place in an array. */
function memberSql(path: readonly string[]): Expression {
  return path.reduce<Expression>((value, member) => sql`${value} -> ${member}::text`, sql`data`)
}

/** What is a text in JSON as a text of Postgres, byte by byte in order. */
export function textIn(json: Expression): Expression {
  return sql`(${json} #>> '{}') collate "C"`
}
