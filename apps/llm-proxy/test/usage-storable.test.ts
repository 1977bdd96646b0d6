import { expect, it } from 'vitest'
import { storable } from '../src/usage/write-usage.ts'

// jsonb takes neither half a pair nor NUL, and a row that it refuses is lost.
it('a name is cut to what the database takes, also in the middle of a pair', () => {
  const cut = storable(`${'x'.repeat(255)}\u{1F6A2}`)
  expect(cut.isWellFormed()).toBe(true)
  expect(cut).toHaveLength(256)
  expect(storable('a\0b')).toBe('a\ufffdb')
})
