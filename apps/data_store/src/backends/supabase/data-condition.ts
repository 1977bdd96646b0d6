import type { dataStore } from '@waybill/contracts'
import { isStorableText } from '../../records/data.ts'
import { anyOf, exactly, isPlainPattern, NEVER, pattern, quoted, UNKNOWN } from './condition.ts'
import type { Condition } from './condition.ts'

/** One comparison: `in` and `ne` stand for several, or for the opposite of one. */
export type Comparison =
  | Exclude<dataStore.Comparison, { op: 'in' } | { op: 'eq' | 'ne' }>
  | { field: string; op: 'eq'; value: dataStore.Scalar }

/** A name that PostgREST takes for a member: one of digits it would take for a place in an array. */
const PLAIN_MEMBER = /^[A-Za-z_]\w*$/

/** Less than every number, and greater than every text: jsonb orders null, texts, numbers, false, true, arrays, objects. */
const BELOW_NUMBERS = quoted('-1e400')
const BELOW_TEXTS = quoted('null')
const ABOVE_NUMBERS = quoted('false')

/**
 * A comparison with a member of `data`, by jsonb's own operators, which tell apart what JSON does. A member that is not there
 * is null to Postgres, so every condition says first that it is.
 */
export function inData(comparison: Comparison): Condition {
  const members = comparison.field.split('.').slice(1)
  if (!members.every((member) => PLAIN_MEMBER.test(member))) return UNKNOWN
  const json = ['data', ...members].join('->')
  const text = `${['data', ...members.slice(0, -1)].join('->')}->>${members.at(-1) ?? ''}`
  const there = (...conditions: string[]) => exactly(`and(${json}.not.is.null,${conditions.join(',')})`)
  const isText = [`${json}.gt.${BELOW_TEXTS}`, `${json}.lt.${BELOW_NUMBERS}`]

  if (comparison.op === 'is_null') return exactly(`or(${json}.is.null,${json}.eq.${quoted('null')})`)
  const { op, value } = comparison
  if (typeof value === 'string' && op !== 'eq' && op !== 'contains' && op !== 'prefix') {
    // By code point to us, and to Postgres by the collation of the database.
    return { ...there(...isText), exact: false }
  }
  if (typeof value === 'string' && !isStorableText(value)) return NEVER
  const literal = quoted(JSON.stringify(value))
  switch (op) {
    case 'eq':
      return there(`${json}.eq.${literal}`)
    case 'lt':
    case 'le':
      return there(`${json}.${op === 'lt' ? 'lt' : 'lte'}.${literal}`, `${json}.gte.${BELOW_NUMBERS}`)
    case 'gt':
    case 'ge':
      return there(`${json}.${op === 'gt' ? 'gt' : 'gte'}.${literal}`, `${json}.lt.${ABOVE_NUMBERS}`)
    case 'prefix':
      return like(`${pattern(value)}*`, value)
    case 'contains': {
      const member = there(`${json}.cs.${quoted(JSON.stringify([value]))}`)
      return typeof value === 'string' ? anyOf([like(`*${pattern(value)}*`, value), member]) : member
    }
  }

  function like(wanted: string, plain: string): Condition {
    return { ...there(...isText, `${text}.like.${quoted(wanted)}`), exact: isPlainPattern(plain) }
  }
}
