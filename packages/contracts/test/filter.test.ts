import { describe, expect, test } from 'vitest'
import { dataStore } from '../src/index.ts'

const isText = { field: 'data.title', op: 'eq', value: 'x' }
const nested = (levels: number): unknown =>
  Array.from({ length: levels }).reduce<unknown>((inner) => ({ not: inner }), isText)
const refusal = (filter: unknown): string => {
  const { error } = dataStore.filter.safeParse(filter)
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
}

describe('a filter', () => {
  test.each([
    isText,
    { and: [isText, { or: [isText, { not: { field: 'data.a.b-c._d', op: 'is_null' } }] }] },
    { field: 'version', op: 'ge', value: 3 },
    { field: 'data.tags', op: 'contains', value: true },
    { field: 'created_at', op: 'prefix', value: '2026-' },
    { field: 'id', op: 'in', value: ['a', 1, false] },
  ])('comes back as it was: %j', (filter) => {
    expect(dataStore.filter.parse(filter)).toEqual(filter)
  })

  test.each([
    [{ and: [isText, { ...isText, value: {} }] }, 'and.1.value: must be a text, a number, true or false'],
    [{ ...isText, op: 'lt', value: true }, 'value: must be a text or a number'],
    [{ ...isText, value: null }, 'value: must be'],
    [{ ...isText, value: NaN }, 'value: must be'],
    [{ ...isText, value: 'x'.repeat(4_097) }, 'value: '],
    [{ ...isText, value: 'x\ud800' }, 'value: '],
    [{ ...isText, op: 'prefix', value: 'x\ud800' }, 'value: holds half a surrogate pair'],
    [{ ...isText, op: 'like' }, 'op: '],
    [{ ...isText, field: 'owner' }, 'field: must be id, version'],
    [{ ...isText, field: "data.a'b" }, 'field: must be id, version'],
    [{ ...isText, field: 'data' }, 'field: must be id, version'],
    [{ ...isText, more: 1 }, 'Unrecognized key: "more"'],
    [{ and: [isText], or: [isText] }, 'Unrecognized key: "or"'],
    [{ field: 'id', op: 'is_null', value: 1 }, 'Unrecognized key: "value"'],
    [{ or: [] }, 'or: '],
    [[isText], 'must be a condition, and, or or not'],
    ["id = 'x'", 'must be a condition, and, or or not'],
  ])('names what is wrong in %j', (filter, message) => {
    expect(refusal(filter)).toContain(message)
  })

  test('is refused without a look inside when it is nested too deep, however deep', () => {
    expect(refusal(nested(7))).toBe('')
    expect(refusal(nested(8))).toContain('nested more than 8')
    expect(refusal(nested(100_000))).toContain('nested more than 8')
    expect(refusal({ and: [isText, nested(8)] })).toContain('nested more than 8')
  })
})

describe('the query of a list', () => {
  const query = (given: object) => dataStore.listRecords.query!.safeParse(given)

  test('takes the filter as JSON, and lists separated by commas', () => {
    const given = { filter: JSON.stringify(isText), order: '-updated_at,data.title', select: 'data.a,data.b' }
    expect(query(given).data).toMatchObject({
      filter: isText,
      order: ['-updated_at', 'data.title'],
      select: ['data.a', 'data.b'],
      count: 'none',
    })
  })

  test.each([{ filter: '{' }, { filter: '"x"' }, { order: '' }, { order: 'data.a,' }, { select: '-data.a' }])(
    'refuses %j',
    (given) => {
      expect(query(given).success).toBe(false)
    },
  )
})
