import { describeAudit } from '@waybill/database'
import type { AuditRow } from '@waybill/database'
import { createLogger, requestContext, runInContext } from '@waybill/service-kit'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createAuditBatch } from '../src/audit/batch.ts'

const log = createLogger({ service: 'data_store', level: 'silent' })
const row = (resource: string): AuditRow =>
  describeAudit({ action: 'record.read', resource, outcome: 'success' })

let written: string[][]
let isAway: boolean
const write = (rows: readonly AuditRow[]) => {
  if (isAway) return Promise.reject(new Error('away'))
  written.push(rows.map(({ resource }) => resource))
  return Promise.resolve()
}
const open = (options: { batchMs?: number; capacity?: number } = {}) =>
  createAuditBatch({ write, batchMs: 200, capacity: 3, log, ...options })

beforeEach(() => {
  vi.useFakeTimers()
  written = []
  isAway = false
})
afterEach(() => vi.useRealTimers())

describe('rows of the audit that are written together', () => {
  test('are written with one statement, in their order, when the time is up', async () => {
    const batch = open()
    await batch.append(row('a'))
    await vi.advanceTimersByTimeAsync(100)
    await batch.append(row('b'))
    await vi.advanceTimersByTimeAsync(99)
    expect(written).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(written).toEqual([['a', 'b']])
  })

  test('with no time to wait, each is written before it is taken', async () => {
    const batch = open({ batchMs: 0 })
    await Promise.all([batch.append(row('a')), batch.append(row('b')), batch.append(row('c'))])
    expect(written).toEqual([['a'], ['b', 'c']])
    isAway = true
    await expect(batch.append(row('d'))).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('are kept through an outage, and written once when it is over', async () => {
    const batch = open()
    isAway = true
    await batch.append(row('a'))
    await vi.advanceTimersByTimeAsync(5_000)
    await batch.append(row('b'))
    isAway = false
    await vi.advanceTimersByTimeAsync(500)
    expect(written).toEqual([['a', 'b']])
    await vi.advanceTimersByTimeAsync(5_000)
    expect(written).toHaveLength(1)
  })

  test('when there is no room the next one waits until there is', async () => {
    const batch = open()
    for (const resource of ['a', 'b', 'c']) await batch.append(row(resource))
    expect(written).toEqual([])
    await batch.append(row('d'))
    expect(written).toEqual([['a', 'b', 'c']])
  })

  test('when there is no room and no database, the next one is refused; those before it are not lost', async () => {
    const batch = open()
    isAway = true
    for (const resource of ['a', 'b', 'c']) await batch.append(row(resource))
    await expect(batch.append(row('d'))).rejects.toMatchObject({ code: 'unavailable' })
    isAway = false
    await batch.flush()
    expect(written).toEqual([['a', 'b', 'c']])
  })

  test('are all written at the end', async () => {
    const batch = open()
    await batch.append(row('a'))
    await batch.close()
    expect(written).toEqual([['a']])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('go to the log when at the end the database is away', async () => {
    const error = vi.spyOn(log, 'error')
    const batch = open()
    isAway = true
    await batch.append(row('a'))
    await batch.close()
    expect(error).toHaveBeenLastCalledWith(
      { row: expect.objectContaining({ resource: 'a' }) as unknown },
      expect.any(String),
    )
    expect(vi.getTimerCount()).toBe(0)
  })

  test('more than one statement takes are written in several, without waiting', async () => {
    const batch = open({ capacity: 2_000 })
    for (let n = 0; n < 1_100; n += 1) await batch.append(row(String(n)))
    await batch.flush()
    expect(written.map(({ length }) => length)).toEqual([500, 500, 100])
    expect(written.flat()).toEqual(Array.from({ length: 1_100 }, (_, n) => String(n)))
    await batch.close()
  })

  test('say who, in which request and when at the time of the act', async () => {
    vi.setSystemTime('2026-11-25T12:00:00.000Z')
    const principal = { kind: 'user', userId: 'alice', role: 'user', permissions: [], via: 'jwt' } as const
    const context = {
      requestId: 'req-1',
      log,
      principal: { ...principal, actors: ['gateway'] },
      deadline: 0,
      signal: AbortSignal.abort(),
    }
    let seen: AuditRow | undefined
    let during: unknown = 'never'
    const batch = createAuditBatch({
      write: ([first]) => {
        seen = first
        during = requestContext()
        return Promise.resolve()
      },
      batchMs: 200,
      capacity: 3,
      log,
    })
    await runInContext(context, () => batch.append(row('a')))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(seen).toMatchObject({
      at: '2026-11-25T12:00:00.000Z',
      actor: 'service:gateway',
      on_behalf_of: 'user:alice',
      request_id: 'req-1',
    })
    // The write itself belongs to no request: the deadline of this one has passed long ago.
    expect(during).toBeUndefined()
  })
})
