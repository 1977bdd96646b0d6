import type { dataStore } from '@waybill/contracts'
import type { Query } from '../../query/query.ts'
import type { Comparator, Predicate } from './predicate.ts'

/** What LanceDB is asked of a filter. */
export interface PushedDown {
  /** Holds for every record that the filter lets through. */
  predicate: Predicate
  /** Whether it holds for no other. */
  exact: boolean
}

const ALL: Predicate = { and: [] }
const NONE: Predicate = { or: [] }

/** More conditions than these are left to scan.ts: LanceDB's planner is recursive, and its stack is the process's. */
const MOST_CONDITIONS = 64
const INT32_MAX = 2 ** 31 - 1

const COMPARATORS: Readonly<Record<string, Comparator>> = { eq: '=', lt: '<', le: '<=', gt: '>', ge: '>=' }

/**
 * As much of the filter as is about a record's own members, which have columns; they mean there what evaluate.ts says, for
 * DataFusion compares texts as UTF-8. Members of data are JSON to LanceDB.
 */
export function pushDown(filter: dataStore.Filter | undefined): PushedDown {
  if (filter === undefined) return { predicate: ALL, exact: true }
  if (conditionsOf(filter) > MOST_CONDITIONS) return { predicate: ALL, exact: false }
  const exact = exactly(filter)
  if (exact) return { predicate: exact, exact: true }
  // What all of several conditions want, each of them wants.
  const parts = 'and' in filter ? filter.and.map(exactly) : []
  return { predicate: { and: parts.filter((part) => part !== undefined) }, exact: false }
}

function exactly(filter: dataStore.Filter): Predicate | undefined {
  if ('and' in filter) return allOf(filter.and, (and) => ({ and }))
  if ('or' in filter) return allOf(filter.or, (or) => ({ or }))
  if ('not' in filter) return allOf([filter.not], ([not = ALL]) => ({ not }))
  if (filter.field.startsWith('data')) return undefined
  if (filter.op === 'is_null') return NONE
  if (filter.field === 'version') return ofVersion(filter)
  return ofText(filter, filter.field as 'id' | 'created_at' | 'updated_at') // the fields that are left, by dataStore.fieldName
}

function allOf(
  filters: readonly dataStore.Filter[],
  join: (parts: Predicate[]) => Predicate,
): Predicate | undefined {
  const parts = filters.map(exactly).filter((part) => part !== undefined)
  return parts.length === filters.length ? join(parts) : undefined
}

type WithValue = Exclude<dataStore.Comparison, { op: 'is_null' }>

function ofText(filter: WithValue, column: 'id' | 'created_at' | 'updated_at'): Predicate | undefined {
  if (filter.op === 'in') {
    return { column, operator: 'in', values: filter.value.filter((one) => typeof one === 'string') }
  }
  if (filter.op === 'ne') {
    return typeof filter.value === 'string' ? { not: { column, operator: '=', value: filter.value } } : ALL
  }
  const operator = COMPARATORS[filter.op]
  if (operator === undefined) return undefined
  return typeof filter.value === 'string' ? { column, operator, value: filter.value } : NONE
}

function ofVersion(filter: WithValue): Predicate | undefined {
  const operator = COMPARATORS[filter.op]
  const { value } = filter
  if (operator === undefined || typeof value !== 'number') return undefined
  return Number.isInteger(value) && Math.abs(value) <= INT32_MAX
    ? { column: 'version', operator, value }
    : undefined
}

function conditionsOf(filter: dataStore.Filter): number {
  if ('and' in filter) return filter.and.reduce((sum, part) => sum + conditionsOf(part), 1)
  if ('or' in filter) return filter.or.reduce((sum, part) => sum + conditionsOf(part), 1)
  return 'not' in filter ? 1 + conditionsOf(filter.not) : 1
}

/** Whether the filter looks at the vector, which is not in the JSON of `data`. */
export function looksAtVector(filter: dataStore.Filter | undefined): boolean {
  return fieldsOf(filter).includes('data.vector')
}

/** The query without the vector as a sort key: an owner's records all have one or none, and arrays are alike in an order. */
export function orderedWithoutVector({ order, after, ...query }: Query): Query {
  const counts = order.map(({ field }) => field !== 'data.vector')
  return {
    ...query,
    order: order.filter((_, at) => counts[at]),
    after: after?.filter((_, at) => counts[at]),
  }
}

function fieldsOf(filter: dataStore.Filter | undefined): string[] {
  if (filter === undefined) return []
  if ('and' in filter) return filter.and.flatMap(fieldsOf)
  if ('or' in filter) return filter.or.flatMap(fieldsOf)
  return 'not' in filter ? fieldsOf(filter.not) : [filter.field]
}
