import { describe, expect, test } from 'vitest'
import { mergePatch } from '../src/records/merge-patch.ts'

type Json = Record<string, unknown>

describe('a JSON Merge Patch', () => {
  // The examples of RFC 7396, appendix A, whose documents and patches are objects.
  const examples: [Json, Json, Json][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]
  test.each(examples)('RFC 7396: %j patched by %j is %j', (data, patch, result) => {
    const before = structuredClone({ data, patch })
    expect(mergePatch(data, patch)).toEqual(result)
    expect({ data, patch }).toEqual(before)
  })

  test('nulls within an array stay', () => {
    expect(mergePatch({ a: 1 }, { a: [null, { b: null }] })).toEqual({ a: [null, { b: null }] })
  })

  test('a member may have any name, and touches no prototype', () => {
    const patch = JSON.parse('{"a":{"__proto__":{"polluted":1}},"constructor":{"prototype":{"x":1}}}') as Json
    expect(JSON.stringify(mergePatch({ a: {} }, patch))).toBe(JSON.stringify(patch))
    expect('polluted' in {}).toBe(false)
    expect('x' in {}).toBe(false)
    expect(mergePatch({}, { toString: { a: 1 } })).toEqual({ toString: { a: 1 } })
  })
})
