import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createGate } from '../src/backends/gate.ts'
import { records, startSetting } from './setting.ts'
import type { Client, Setting } from './setting.ts'

describe('a gate', () => {
  const refusal = () => new Error('full')
  /** Work that lasts until it is told to end. */
  const lasting = () => {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const end = () => {
      resolve(undefined)
    }
    return { work: () => promise, end }
  }

  test('refuses who comes when as many wait as may, and lets the others in one by one', async () => {
    const gate = createGate(1, { mostWaiting: 1, refusal })
    const [first, second] = [lasting(), lasting()]
    const running = [gate(first.work), gate(second.work)]
    await expect(gate(() => Promise.resolve())).rejects.toThrow('full')
    first.end()
    await running[0]
    const third = gate(() => Promise.resolve('third'))
    second.end()
    expect(await third).toBe('third')
    // Who failed leaves its place too.
    await expect(gate(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    expect(await gate(() => Promise.resolve('free again'))).toBe('free again')
  })

  test('refuses who has waited too long, whose place in the queue is free again and whose turn is skipped', async () => {
    const gate = createGate(1, { mostWaiting: 1, waitMs: 5, refusal })
    const first = lasting()
    const running = gate(first.work)
    await expect(gate(() => Promise.resolve())).rejects.toThrow('full')
    const next = gate(() => Promise.resolve('next'))
    first.end()
    await running
    expect(await next).toBe('next')
    expect(await gate(() => Promise.resolve('free'))).toBe('free')
  })
})

describe('a backend that hangs', () => {
  const mayBeUnderWay = 2
  const sent = 6
  let hangs = false
  let seen = 0
  const server = createServer((_request, response) => {
    if (hangs) seen += 1
    else response.writeHead(503).end()
  })
  let setting: Setting
  let alice: Client
  beforeAll(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
    setting = await startSetting({
      ...{ SUPABASE_URL: url, SUPABASE_PUBLISHABLE_KEY: 'for tests', FILEMAKER_URL: url },
      SUPABASE_MAX_CONCURRENT: String(mayBeUnderWay),
      ...{ FILEMAKER_MAX_CONCURRENT: '1', FILEMAKER_MAX_WAITING: String(mayBeUnderWay - 1) },
    })
    alice = await setting.as('alice')
    hangs = true
  })
  afterAll(async () => {
    await setting.close()
    server.close()
  })

  test.each([
    ['supabase', mayBeUnderWay],
    ['filemaker', 1],
  ])(
    '%s keeps no more than it may, refuses the rest by its name, and the others answer',
    async (backend, calls) => {
      seen = 0
      const refused: unknown[] = []
      const asked = Array.from({ length: sent }, async () => {
        const { status, headers, body } = await alice('get', records(backend))
        refused.push([status, headers['retry-after'], (body as { detail: string }).detail])
      })
      await expect.poll(() => refused.length, { timeout: 5_000 }).toBe(sent - mayBeUnderWay)
      const named = expect.stringContaining(`The backend ${backend} is busy`) as string
      expect(refused).toEqual(Array.from({ length: sent - mayBeUnderWay }, () => [503, '1', named]))
      expect(seen).toBe(calls)
      await alice('get', records('postgres')).expect(200)

      hangs = false
      server.closeAllConnections()
      await Promise.all(asked)
      // Its places are free again.
      const { body } = await alice('get', records(backend))
      expect((body as { detail: string }).detail).not.toContain('busy')
      hangs = true
    },
  )
})
