import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, test, vi } from 'vitest'
import { readQuota } from '../src/routing/used-up-quota.ts'

const USED_UP =
  '{"error":{"message":"x","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}'
const TOO_FAST = '{"error":{"message":"x","type":"tokens","param":null,"code":"rate_limit_exceeded"}}'
const of = (...parts: string[]) => Readable.from(parts.map((part) => Buffer.from(part)))

describe('a 429 is looked into without losing a byte', () => {
  test.each([
    ['a quota that is used up', [USED_UP.slice(0, 60), USED_UP.slice(60)], true],
    ['too much in a minute', [TOO_FAST], false],
    ['a longer answer', ['x'.repeat(70_000), USED_UP], false],
    ['nothing', [], false],
  ])('%s', async (_, parts, expected) => {
    const { isUsedUp, body } = await readQuota(of(...parts))
    expect(isUsedUp).toBe(expected)
    expect(await text(body)).toBe(parts.join(''))
  })

  test('a body that does not come is not waited for', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const given = new PassThrough()
      const reading = readQuota(given)
      await vi.advanceTimersByTimeAsync(1_000)
      const { isUsedUp, body } = await reading
      expect(isUsedUp).toBe(false)
      given.end(USED_UP)
      expect(await text(body)).toBe(USED_UP)
    } finally {
      vi.useRealTimers()
    }
  })

  test('a body that breaks breaks for its reader too', async () => {
    const given = new PassThrough()
    given.write('{"err')
    const reading = readQuota(given)
    given.destroy(new Error('reset'))
    await expect(text((await reading).body)).rejects.toThrow()
  })

  test('a reader that gives up a body that does not come ends the connection at once', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const given = new PassThrough()
      const reading = readQuota(given)
      await vi.advanceTimersByTimeAsync(1_000)
      ;(await reading).body.destroy()
      expect(given.destroyed).toBe(true)
    } finally {
      vi.useRealTimers()
    }
  })

  test('a reader that gives up ends the connection', async () => {
    const given = new PassThrough()
    given.write('x'.repeat(70_000))
    const { body } = await readQuota(given)
    body.destroy()
    await vi.waitFor(() => {
      expect(given.destroyed).toBe(true)
    })
  })
})
