type Column = 'owner' | 'id'

export type Condition =
  | { column: Column; operator: '=' | '>'; value: string }
  | { column: Column; operator: 'in'; values: readonly string[] }
  | { column: 'target.version'; operator: '='; value: number }

/**
 * The SQL predicate that all of `conditions` hold. LanceDB takes no parameters, so this is the only place that makes
 * predicates: columns and operators are of these types, and a value is a number or always one quoted literal. In DataFusion's SQL a quote
 * is written twice and a backslash is itself.
 */
export function predicate(first: Condition, ...more: Condition[]): string {
  return [first, ...more].map(text).join(' AND ')
}

function text(condition: Condition): string {
  return condition.operator === 'in'
    ? `${condition.column} IN (${condition.values.map(literal).join(', ')})`
    : `${condition.column} ${condition.operator} ${literal(condition.value)}`
}

function literal(value: string | number): string {
  if (typeof value === 'number') return String(value)
  return `'${value.replaceAll("'", "''")}'`
}
