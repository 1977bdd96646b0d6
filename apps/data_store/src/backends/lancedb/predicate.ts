/** Columns that hold text, none of it null. */
export type TextColumn = 'owner' | 'id' | 'created_at' | 'updated_at'

export type Comparator = '=' | '<' | '<=' | '>' | '>='

export type Predicate =
  | { column: TextColumn; operator: Comparator; value: string }
  | { column: TextColumn; operator: 'in'; values: readonly string[] }
  /** `value` is a whole number of 32 bits: LanceDB takes no other for this column. */
  | { column: 'version'; operator: Comparator; value: number }
  | { and: readonly Predicate[] }
  | { or: readonly Predicate[] }
  | { not: Predicate }

/**
 * In a merge: the row that is there is the one that the new row was made of. (A merge names rows that are there `target` and
 * those that come `source`.)
 */
export const IS_PREDECESSOR = 'target.version = source.version - 1'

/**
 * A predicate as SQL. LanceDB takes no parameters, so this is the only place that makes such texts: columns and operators
 * are of these types, and a value is a number or always one quoted literal. In DataFusion's SQL a quote is written twice and a backslash
 * is itself.
 */
export function toSql(predicate: Predicate): string {
  if ('and' in predicate) return joined(predicate.and, ' AND ', 'true')
  if ('or' in predicate) return joined(predicate.or, ' OR ', 'false')
  if ('not' in predicate) return `NOT (${toSql(predicate.not)})`
  const { column } = predicate
  return predicate.operator === 'in'
    ? predicate.values.length === 0
      ? 'false'
      : `${column} IN (${predicate.values.map(literal).join(', ')})`
    : `${column} ${predicate.operator} ${literal(predicate.value)}`
}

function joined(parts: readonly Predicate[], word: ' AND ' | ' OR ', none: 'true' | 'false'): string {
  return parts.length === 0 ? none : parts.map((part) => `(${toSql(part)})`).join(word)
}

function literal(value: string | number): string {
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) throw new TypeError('not a whole number')
    return String(value)
  }
  return `'${value.replaceAll("'", "''")}'`
}
