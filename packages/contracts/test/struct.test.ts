import { expect, it } from 'vitest'
import { struct, structOf } from '../src/struct.ts'

it.each([
  [{}],
  [{ text: '', number: 0, yes: true, no: false, none: null }],
  [{ list: [1, 'a', null, [], {}], deep: { deeper: { deepest: [{}] } } }],
  [JSON.parse('{"__proto__": {"polluted": 1}, "constructor": 2}')],
])('%j is the same after a Struct and back', (object: Record<string, unknown>) => {
  const back = struct.parse(structOf(object))
  expect(JSON.stringify(back)).toBe(JSON.stringify(object))
  expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
})

it('a Struct without fields is an empty object, and a value without a kind is null', () => {
  expect(struct.parse({})).toEqual({})
  expect(struct.parse({ fields: { a: {} } })).toEqual({ a: null })
})

it.each([null, 'text', 7])('%j is no Struct', (value) => {
  expect(struct.safeParse(value).success).toBe(false)
})
