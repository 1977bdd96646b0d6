import { randomUUID } from 'node:crypto'
import { createLogger, Problem, unavailable } from '@waybill/service-kit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createLedger } from '../src/usage/ledger.ts'
import type { LedgerOptions, UsageRecord } from '../src/usage/ledger.ts'
import { writeUsage } from '../src/usage/write-usage.ts'
import { answered, callOf, startUsageSetting } from './usage-setting.ts'
import type { UsageSetting } from './usage-setting.ts'

function recordOf(number: number): UsageRecord {
  return { id: String(number), model: `model-${String(number)}` } as UsageRecord // nothing else of it is looked at
}

/** A ledger whose writes are held until the test lets them go. */
function stand(intervalMs = 0) {
  const writes: { ids: string[]; done: () => void; fail: (error: Error) => void }[] = []
  let text = ''
  const write: LedgerOptions['write'] = (records) =>
    new Promise((resolve, reject) => {
      writes.push({ ids: records.map(({ id }) => id), done: resolve, fail: reject })
    })
  const log = createLogger({ service: 'test', destination: { write: (line) => void (text += line) } })
  const ledger = createLedger({ write, intervalMs, log })
  const written: number[] = []
  const append = (...numbers: number[]) => {
    for (const number of numbers) ledger.append(recordOf(number), () => written.push(number))
  }
  return { ledger, writes, append, written, text: () => text }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('records are written together', () => {
  test('the first at once, and all that came meanwhile with the next statement', async () => {
    const { ledger, writes, append, written } = stand()
    append(1)
    append(2, 3, 4)
    expect(writes.map(({ ids }) => ids)).toEqual([['1']])
    writes[0]?.done()
    await settled()
    expect(writes.map(({ ids }) => ids)).toEqual([['1'], ['2', '3', '4']])
    expect(written).toEqual([1])
    writes[1]?.done()
    await ledger.flush()
    expect(written).toEqual([1, 2, 3, 4])
    expect(ledger.waiting()).toBe(0)
  })

  test('a thousand at most with one statement', async () => {
    const { ledger, writes, append } = stand(10_000)
    append(...Array.from({ length: 2_501 }, (_, number) => number))
    const flushed = ledger.flush()
    for (let statement = 0; statement < 4; statement += 1) {
      writes[statement]?.done()
      await settled()
    }
    await flushed
    expect(writes.map(({ ids }) => ids.length)).toEqual([1, 1_000, 1_000, 500])
  })

  test('at most once in the interval, counted from the beginning of a write', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { writes, append } = stand(50)
    append(1)
    writes[0]?.done()
    vi.advanceTimersByTime(20)
    await settled()
    append(2)
    append(3)
    vi.advanceTimersByTime(29)
    expect(writes).toHaveLength(1)
    vi.advanceTimersByTime(1)
    expect(writes.map(({ ids }) => ids)).toEqual([['1'], ['2', '3']])
    vi.useRealTimers()
  })

  test('what the database refuses is found, logged and left out; the others are written', async () => {
    const log: string[] = []
    const kept: string[] = []
    const ledger = createLedger({
      write: (records) => {
        if (records.some(({ id }) => id === '7')) return Promise.reject(new Error('invalid input'))
        kept.push(...records.map(({ id }) => id))
        return Promise.resolve()
      },
      intervalMs: 0,
      log: createLogger({ service: 'test', destination: { write: (line) => void log.push(line) } }),
    })
    for (let number = 0; number < 20; number += 1) ledger.append(recordOf(number), () => undefined)
    await ledger.flush()
    expect(kept).toHaveLength(19)
    expect(kept).not.toContain('7')
    expect(log.filter((line) => line.includes('refused by the database'))).toHaveLength(1)
    expect(log.join('')).toContain('model-7')
  })

  test.each([unavailable('The database'), new Problem('timeout', 'The database took too long.')])(
    'while the database is away ($code) nothing is given up, and it is logged once',
    async (error) => {
      const { ledger, writes, append, written, text } = stand()
      append(1, 2)
      writes[0]?.fail(error)
      await settled()
      const again = ledger.flush()
      writes[1]?.fail(error)
      await expect(again).rejects.toBe(error)
      expect(ledger.waiting()).toBe(2)
      const third = ledger.flush()
      expect(writes[2]?.ids).toEqual(['1', '2'])
      writes[2]?.done()
      await third
      expect(written).toEqual([1, 2])
      expect(text().split('usage cannot be written down')).toHaveLength(2)
      expect(text()).toContain('usage is written down again')
    },
  )

  test('at its end it writes what is left, and logs whole what even then cannot be written', async () => {
    const { ledger, writes, append, text } = stand(10_000)
    append(1, 2)
    writes[0]?.done()
    await settled()
    const closing = ledger.close()
    expect(writes[1]?.ids).toEqual(['2'])
    writes[1]?.fail(unavailable('The database'))
    await closing
    expect(text()).toContain('"record":{"id":"2","model":"model-2"}')
  })
})

describe('with a real Postgres', () => {
  let setting: UsageSetting
  beforeAll(async () => {
    setting = await startUsageSetting()
  })
  afterAll(() => setting.close())

  const idsOf = async (user: string) =>
    (
      await setting.admin(
        'select count(*)::int as rows, count(distinct id)::int as ids from usage where user_id = $1',
        [user],
      )
    )[0]

  test('a hundred calls at once are a few transactions', async () => {
    const { meter, ledger } = setting.open()
    const runs = await Promise.all(Array.from({ length: 100 }, () => meter.begin(callOf('crowd'))))
    for (const run of runs) run.end(answered(1, 1))
    await ledger.flush()
    const [row] = await setting.admin(
      `select count(*)::int as rows, count(distinct xmin::text)::int as transactions from usage where user_id = 'crowd'`,
    )
    expect(row).toEqual({ rows: 100, transactions: 2 })
  })

  test('nothing is lost, and nothing is there twice, when Postgres goes away and comes back', async () => {
    const { meter, ledger } = setting.open()
    const call = async () => {
      const run = await meter.begin(callOf('outage'))
      run.end(answered(1, 1))
    }
    await call()
    await ledger.flush()
    await setting.admin('alter role llm_proxy nologin')
    await setting.admin(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'llm_proxy'`,
    )
    for (let calls = 0; calls < 20; calls += 1) await call()
    await expect(ledger.flush()).rejects.toMatchObject({ code: 'unavailable' })
    expect(await idsOf('outage')).toEqual({ rows: 1, ids: 1 })
    expect(ledger.waiting()).toBe(20)
    await setting.admin('alter role llm_proxy login')
    await ledger.flush()
    expect(await idsOf('outage')).toEqual({ rows: 21, ids: 21 })
  })

  test('calls are 503 while too many records wait, and go on when they are written', async () => {
    const { meter, ledger } = setting.open({ USAGE_BUFFER_MAX: '3' })
    const begun = await Promise.all(Array.from({ length: 4 }, () => meter.begin(callOf('full'))))
    await setting.admin('alter role llm_proxy nologin')
    await setting.admin(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'llm_proxy'`,
    )
    // Those under way are written down all the same.
    for (const run of begun) run.end(answered(1, 1))
    await expect(meter.begin(callOf('full'))).rejects.toMatchObject({
      code: 'unavailable',
      headers: { 'Retry-After': '1' },
    })
    await setting.admin('alter role llm_proxy login')
    await ledger.flush()
    const run = await meter.begin(callOf('full'))
    run.end(answered(1, 1))
    await ledger.flush()
    expect(await idsOf('full')).toEqual({ rows: 5, ids: 5 })
  })

  test('a record that comes again, because nobody knows how its first commit ended, is there once', async () => {
    const record: UsageRecord = {
      ...{ id: randomUUID(), at: Date.now(), day: '2026-11-25', user_id: 'again', api_key_id: null },
      ...{
        provider: 'openai',
        model: 'm',
        key_id: null,
        operation: 'chat',
        stream: false,
        result: 'answered',
      },
      ...{ input_tokens: 1, output_tokens: 1, cached_tokens: 0, estimated: false, cost_micros: null },
      ...{ currency: null, request_id: null, counted_by: randomUUID() },
    }
    await writeUsage(setting.database, [record])
    await writeUsage(setting.database, [record, { ...record, id: randomUUID() }])
    expect(await idsOf('again')).toEqual({ rows: 2, ids: 2 })
  })

  test('a name that Postgres cannot hold is written as one that it can', async () => {
    const { meter, ledger } = setting.open()
    const run = await meter.begin(callOf('odd'))
    run.end(answered(1, 1, { model: `a\0b\ud800${'x'.repeat(1_000)}` }))
    await ledger.flush()
    const [row] = await setting.admin(`select model from usage where user_id = 'odd'`)
    expect(row?.model).toBe(`a\ufffdb\ufffd${'x'.repeat(252)}`)
  })
})
