export interface Condition {
  column: 'owner' | 'id'
  operator: '=' | '>'
  value: string
}

/**
 * The SQL predicate that all of `conditions` hold. LanceDB takes no parameters, so this is the only place that makes
 * predicates: columns and operators are of these types, and a value is always one quoted literal. In DataFusion's SQL a quote
 * is written twice and a backslash is itself.
 */
export function predicate(first: Condition, ...more: Condition[]): string {
  return [first, ...more]
    .map(({ column, operator, value }) => `${column} ${operator} '${value.replaceAll("'", "''")}'`)
    .join(' AND ')
}
