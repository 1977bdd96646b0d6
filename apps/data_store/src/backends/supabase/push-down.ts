import { dataStore } from '@waybill/contracts'
import type { Position, SortKey } from '../../query/query.ts'
import { isTime } from '../../query/time.ts'
import { isStorableText } from '../../records/data.ts'
import { ALWAYS, allOf, anyOf, constant, exactly, NEVER, not, quoted, UNKNOWN } from './condition.ts'
import type { Condition } from './condition.ts'
import { inData } from './data-condition.ts'
import type { Comparison } from './data-condition.ts'
import { timesBeginning, timesCompared } from './time-range.ts'
import type { TimeRange } from './time-range.ts'

/** The columns that PostgREST compares and orders as evaluate.ts does. */
const COLUMNS: readonly string[] = ['id', 'version', 'created_at', 'updated_at']
const LARGEST_VERSION = 2 ** 31 - 1

/** What of the filter PostgREST can be asked for, and whether that is all of it. */
export function pushDown(filter: dataStore.Filter | undefined): Condition {
  if (filter === undefined) return ALWAYS
  if ('and' in filter) return allOf(filter.and.map(pushDown))
  if ('or' in filter) return anyOf(filter.or.map(pushDown))
  if ('not' in filter) return not(pushDown(filter.not))
  const { field } = filter
  if (filter.op === 'in') return anyOf(filter.value.map((value) => compared({ field, op: 'eq', value })))
  if (!isEquality(filter)) return compared(filter)
  const equal = compared({ field, op: 'eq', value: filter.value })
  return filter.op === 'eq' ? equal : not(equal)
}

type Equality = Extract<dataStore.Comparison, { op: 'eq' | 'ne' }>

function isEquality(comparison: dataStore.Comparison): comparison is Equality {
  return comparison.op === 'eq' || comparison.op === 'ne'
}

/** The value of `order`; undefined when PostgREST would order otherwise. */
export function pushedOrder(order: readonly SortKey[]): string | undefined {
  if (order.some(({ field }) => !COLUMNS.includes(field))) return undefined
  return order.map(({ field, descending }) => `${field}.${descending ? 'desc' : 'asc'}`).join(',')
}

/** The records that come after `position` in an order that can be pushed down. */
export function afterPosition(order: readonly SortKey[], position: Position | undefined): Condition {
  if (position === undefined) return ALWAYS
  const valueAt = (at: number) => quoted(String(position[at]?.[1]))
  return anyOf(
    order.map(({ field, descending }, last) => {
      const same = order.slice(0, last).map((key, at) => exactly(`${key.field}.eq.${valueAt(at)}`))
      return allOf([...same, exactly(`${field}.${descending ? 'lt' : 'gt'}.${valueAt(last)}`)])
    }),
  )
}

function compared(comparison: Comparison): Condition {
  const { field } = comparison
  if (field === 'id') return ofId(comparison)
  if (field === 'version') return ofVersion(comparison)
  if (field === 'created_at' || field === 'updated_at') return ofTime(field, comparison)
  return inData(comparison)
}

function ofId(comparison: Comparison): Condition {
  if (comparison.op === 'is_null') return NEVER
  const { op, value } = comparison
  if (typeof value !== 'string') return NEVER
  if (op === 'eq')
    return dataStore.recordId.safeParse(value).success ? exactly(`id.eq.${quoted(value)}`) : NEVER
  if (op === 'contains' || op === 'prefix') {
    // Of what an id can hold, only _ means something else in a pattern.
    if (!/^[A-Za-z0-9._:-]*$/.test(value)) return NEVER
    const part = value.replaceAll('_', '\\_')
    return exactly(`id.like.${quoted(op === 'prefix' ? `${part}*` : `*${part}*`)}`)
  }
  return isStorableText(value) ? exactly(`id.${inRest(op)}.${quoted(value)}`) : UNKNOWN
}

/** An integer column takes integers only, so what lies between two of them is moved to one. */
function ofVersion(comparison: Comparison): Condition {
  if (comparison.op === 'is_null' || typeof comparison.value !== 'number') return NEVER
  const { op, value } = comparison
  if (op === 'contains' || op === 'prefix') return NEVER
  if (op === 'eq') return isVersion(value) ? exactly(`version.eq.${quoted(String(value))}`) : NEVER
  const bound = op === 'lt' || op === 'ge' ? Math.ceil(value) : Math.floor(value)
  if (bound > LARGEST_VERSION) return constant(op === 'lt' || op === 'le')
  if (bound < 0) return constant(op === 'gt' || op === 'ge')
  return exactly(`version.${inRest(op)}.${quoted(String(bound + 0))}`)
}

function isVersion(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= LARGEST_VERSION
}

function ofTime(field: 'created_at' | 'updated_at', comparison: Comparison): Condition {
  if (comparison.op === 'is_null' || typeof comparison.value !== 'string') return NEVER
  const { op, value } = comparison
  if (op === 'eq') return isTime(value) ? exactly(`${field}.eq.${quoted(value)}`) : NEVER
  if (op === 'contains') return UNKNOWN
  return within(field, op === 'prefix' ? timesBeginning(value) : timesCompared(op, value))
}

function within(field: string, range: TimeRange | undefined): Condition {
  if (!range) return NEVER
  const { from, until } = range
  return allOf([
    from === undefined ? ALWAYS : exactly(`${field}.gte.${quoted(from)}`),
    until === undefined ? ALWAYS : exactly(`${field}.lt.${quoted(until)}`),
  ])
}

function inRest(op: 'lt' | 'le' | 'gt' | 'ge'): string {
  return { lt: 'lt', le: 'lte', gt: 'gt', ge: 'gte' }[op]
}
