import type { dataStore } from '@waybill/contracts'
import type { StoredRecord } from '../backend.ts'
import type { Position, SortKey, SortValue } from './query.ts'

/**
 * What filters and orders mean. Backends whose stores can do the same do it there; this is what they are held to, and what does
 * it for those that cannot.
 */

/** The value of a field; undefined when it is not there. */
export function valueOf(record: StoredRecord, field: string): unknown {
  const [first = '', ...path] = field.split('.')
  let value: unknown = record[first as keyof StoredRecord] // one of five of its names, by dataStore.fieldName
  for (const member of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    if (!Object.hasOwn(value, member)) return undefined
    value = (value as Record<string, unknown>)[member]
  }
  return value
}

/** Whether the filter lets the record through. */
export function matches(filter: dataStore.Filter, record: StoredRecord): boolean {
  if ('and' in filter) return filter.and.every((part) => matches(part, record))
  if ('or' in filter) return filter.or.some((part) => matches(part, record))
  if ('not' in filter) return !matches(filter.not, record)
  return holds(filter, valueOf(record, filter.field))
}

function holds(comparison: dataStore.Comparison, value: unknown): boolean {
  switch (comparison.op) {
    case 'eq':
      return value === comparison.value
    case 'ne':
      return value !== comparison.value
    case 'in':
      return comparison.value.some((one) => one === value)
    case 'contains':
      if (Array.isArray(value)) return value.includes(comparison.value)
      return (
        typeof value === 'string' && typeof comparison.value === 'string' && value.includes(comparison.value)
      )
    case 'prefix':
      return typeof value === 'string' && value.startsWith(comparison.value)
    case 'is_null':
      return value === undefined || value === null
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      return inOrder(comparison.op, value, comparison.value)
  }
}

function inOrder(op: 'lt' | 'le' | 'gt' | 'ge', value: unknown, other: string | number): boolean {
  if (typeof value !== typeof other) return false
  const difference = compareValues(sortValueOf(value), sortValueOf(other))
  if (op === 'lt') return difference < 0
  if (op === 'le') return difference <= 0
  if (op === 'gt') return difference > 0
  return difference >= 0
}

/** Where a value stands in an ascending order. */
export function sortValueOf(value: unknown): SortValue {
  if (typeof value === 'number') return [0, value]
  if (typeof value === 'string') return [1, value]
  if (typeof value === 'boolean') return [2, value]
  return value === undefined || value === null ? [4] : [3]
}

/** The values of a record that decide its place in `order`. */
export function positionOf(record: StoredRecord, order: readonly SortKey[]): Position {
  return order.map(({ field }) => sortValueOf(valueOf(record, field)))
}

/** Negative when `one` comes first. */
export function comparePositions(one: Position, other: Position, order: readonly SortKey[]): number {
  for (const [at, { descending }] of order.entries()) {
    const difference = compareValues(one[at] ?? [4], other[at] ?? [4])
    if (difference !== 0) return descending ? -difference : difference
  }
  return 0
}

function compareValues(one: SortValue, other: SortValue): number {
  if (one[0] !== other[0]) return one[0] - other[0]
  if (one[0] === 1 && other[0] === 1) return compareTexts(one[1], other[1])
  return Number(one[1] ?? 0) - Number(other[1] ?? 0)
}

/** By code point, as UTF-8 sorts; JavaScript's own `<` compares UTF-16 units, which is another order above U+FFFF. */
export function compareTexts(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}
