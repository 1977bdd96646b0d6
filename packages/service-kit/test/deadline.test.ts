import { describe, expect, test } from 'vitest'
import { deadlineFor } from '../src/deadline.ts'

describe('X-Request-Timeout-Ms', () => {
  test.each([
    ['400', 1_400],
    ['1000', 2_000],
    ['5000', 2_000],
    ['999999999', 2_000],
    ['0', 1_000],
    [undefined, 2_000],
    ['', 2_000],
    ['-5', 2_000],
    ['1e2', 2_000],
    ['100, 200', 2_000],
    ['99999999999', 2_000],
  ])('%j can only shorten the time that a route has', (header, deadline) => {
    expect(deadlineFor(header, 1_000, 1_000)).toBe(deadline)
  })
})
