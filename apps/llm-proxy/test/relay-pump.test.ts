import { PassThrough, Writable } from 'node:stream'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { pump } from '../src/relay/pump.ts'

const IDLE_MS = 500

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => void vi.useRealTimers())

/** A reader that has room for one byte, and takes what it is given when `take` is called. */
function reader(): { res: Writable; take: () => void } {
  let take: () => void = () => undefined
  const res = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, taken) => void (take = taken),
  })
  return {
    res,
    take: () => {
      take()
    },
  }
}

const begin = (body: PassThrough, res: Writable) =>
  pump(body, res, {
    ...{ name: 'openai', idleMs: IDLE_MS, deadline: Date.now() + 100 * IDLE_MS },
    pass: (chunk) => chunk,
  })

it('a provider that is silent for the idle time is given up', async () => {
  const body = new PassThrough()
  const ended = begin(body, reader().res)
  await vi.advanceTimersByTimeAsync(IDLE_MS)
  expect(await ended).toMatchObject({ code: 'timeout' })
  expect(body.destroyed).toBe(true)
})

it('a client that reads nothing for longer than that is not its fault', async () => {
  const body = new PassThrough()
  const { res, take } = reader()
  const ended = begin(body, res)
  body.write('more than there is room for')
  await vi.waitUntil(() => body.isPaused())
  await vi.advanceTimersByTimeAsync(10 * IDLE_MS)
  expect(body.destroyed).toBe(false)
  take()
  body.end()
  expect(await ended).toBeUndefined()
})
