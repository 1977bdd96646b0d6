import { randomBytes, randomInt } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { CollectedBytes } from '../src/collected-bytes.ts'

describe('bytes that are collected', () => {
  it.each([
    ['in one piece', () => 1_000_000],
    ['byte by byte', () => 1],
    ['in pieces of any size', () => randomInt(1, 10_000)],
    ['in small and large ones by turns', (at: number) => (at % 2 === 0 ? 1 : 5_000)],
  ])('%s are the same bytes, at each look', (_, size) => {
    const all = randomBytes(100_000)
    const bytes = new CollectedBytes()
    for (let at = 0, turn = 0; at < all.length; turn++) {
      const piece = all.subarray(at, at + size(turn))
      bytes.add(piece)
      at += piece.length
      if (turn % 1_000 === 7) expect(bytes.whole().equals(all.subarray(0, at))).toBe(true)
    }
    expect(bytes.length).toBe(all.length)
    expect(bytes.whole().equals(all)).toBe(true)
    bytes.clear()
    expect([bytes.length, bytes.whole().length]).toEqual([0, 0])
    bytes.add(Buffer.from('again'))
    expect(bytes.whole().toString()).toBe('again')
  })

  it('of which there is one piece are not copied', () => {
    const piece = Buffer.from('{"model":"m"}')
    const bytes = new CollectedBytes()
    bytes.add(piece)
    expect(bytes.whole()).toBe(piece)
  })

  it('hold on to no small piece: what is in it later is not theirs', () => {
    const piece = Buffer.from('a')
    const bytes = new CollectedBytes()
    bytes.add(Buffer.from('-'))
    for (const letter of ['b', 'c', 'd']) {
      piece.write(letter)
      bytes.add(piece)
    }
    piece.write('x')
    expect(bytes.whole().toString()).toBe('-bcd')
  })
})
