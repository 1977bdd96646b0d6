import { describe, expect, it } from 'vitest'
import { batchesOf } from '../src/batches.ts'

const cut = (items: string[], maxItems: number, maxBytes: number) => [
  ...batchesOf(items, { maxItems, maxBytes }),
]

describe('batches', () => {
  it('are full but for the last, and keep the order', () => {
    expect(cut(['a', 'b', 'c', 'd', 'e'], 2, 1000)).toEqual([['a', 'b'], ['c', 'd'], ['e']])
    expect(cut([], 2, 1000)).toEqual([])
  })

  it('count bytes of JSON, not characters', () => {
    // '"ü"' and a comma are 5 bytes.
    expect(cut(['ü', 'ü', 'ü'], 10, 12)).toEqual([['ü', 'ü'], ['ü']])
    expect(cut(['"', '"', '"'], 10, 12)).toEqual([['"', '"'], ['"']])
  })

  it('of one item that is too large by itself are that item', () => {
    expect(cut(['a', 'x'.repeat(50), 'b'], 10, 10)).toEqual([['a'], ['x'.repeat(50)], ['b']])
  })
})
