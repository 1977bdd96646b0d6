import { createLogger } from '@waybill/service-kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noSums } from '../src/usage/budget-counter.ts'
import { createBudgets } from '../src/usage/budgets.ts'
import type { BudgetsRead } from '../src/usage/read-budgets.ts'
import { Clock, crowd, DAY_MS, NOON, refusalOf, set, somebody, use } from './budgets-setting.ts'
import { answered, callOf, startUsageSetting } from './usage-setting.ts'
import type { UsageSetting } from './usage-setting.ts'

let setting: UsageSetting
beforeAll(async () => {
  setting = await startUsageSetting()
})
afterAll(() => setting.close())

describe('days and months are those of UTC', () => {
  test('at midnight the day begins anew, and the month goes on', async () => {
    const clock = new Clock()
    clock.at = Date.parse('2026-11-29T23:59:59.999Z')
    const usage = setting.open({}, clock.now)
    const user = somebody()
    await set(usage, user, { tokens: 20 })
    await set(usage, user, { tokens: 30 }, 'month')
    await use(usage, callOf(user), 10, 10)
    expect((await refusalOf(usage, callOf(user))).message).toContain('a day')
    clock.at += 1
    await use(usage, callOf(user), 5, 5)
    expect((await refusalOf(usage, callOf(user))).message).toContain('a month')
    clock.at += DAY_MS
    await use(usage, callOf(user), 10, 10)
  })

  test('a call counts for the day on which it began', async () => {
    const clock = new Clock()
    clock.at = Date.parse('2026-11-24T23:59:59Z')
    const usage = setting.open({}, clock.now)
    const user = somebody()
    await set(usage, user, { tokens: 20 })
    const late = await usage.meter.begin(callOf(user))
    clock.at += 2_000
    late.end(answered(10, 10))
    expect((await crowd(usage, callOf(user), 5)).runs).toHaveLength(2)
    await usage.ledger.flush()
    const [row] = await setting.admin(
      `select to_char(day, 'YYYY-MM-DD') as day from usage where user_id = $1`,
      [user],
    )
    expect(row).toEqual({ day: '2026-11-24' })
  })
})

describe('several instances', () => {
  test('know of what the others have used after BUDGET_REFRESH_SECONDS, and count nothing twice', async () => {
    const clock = new Clock()
    const [one, other] = [setting.open({}, clock.now), setting.open({}, clock.now)]
    const user = somebody()
    await set(one, user, { tokens: 100 })
    await use(one, callOf(user), 20, 10)
    await use(other, callOf(user), 20, 10)
    await one.ledger.flush()
    await other.ledger.flush()
    clock.at += 61_000
    // 60 of 100 are used: each knows its own 30 and reads the other's.
    for (const usage of [one, other]) {
      const { runs } = await crowd(usage, callOf(user), 50)
      expect(runs).toHaveLength(4)
      for (const run of runs) run.end({ ...answered(0, 0), result: 'cached' })
    }
  })

  test('one that starts anew reads what it had used before', async () => {
    const clock = new Clock()
    const before = setting.open({}, clock.now)
    const user = somebody()
    await set(before, user, { tokens: 100 }, 'month')
    clock.at -= 10 * DAY_MS
    await use(before, callOf(user), 60, 10)
    await before.close()
    clock.at = NOON
    expect((await crowd(setting.open({}, clock.now), callOf(user), 50)).runs).toHaveLength(3)
  })

  test('know of a budget that another one has set, at the latest after twice that time', async () => {
    const clock = new Clock()
    const [one, other] = [setting.open({}, clock.now), setting.open({}, clock.now)]
    const user = somebody()
    await use(other, callOf(user), 5, 5)
    await set(one, user, { tokens: 15 })
    await use(other, callOf(user), 0, 0)
    clock.at += 61_000
    await other.ledger.flush()
    expect((await refusalOf(other, callOf(user))).extensions.reason).toBe('budget_exceeded')
  })
})

describe('while Postgres is away', () => {
  test('budgets that are known still count; of who is not known the call is 503', async () => {
    const clock = new Clock()
    const usage = setting.open({}, clock.now)
    const [known, unknown] = [somebody(), somebody()]
    await set(usage, known, { tokens: 30 })
    await use(usage, callOf(known), 5, 5)
    await usage.ledger.flush()
    await setting.admin('alter role llm_proxy nologin')
    await setting.admin(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'llm_proxy'`,
    )
    clock.at += 3_600_000
    expect((await crowd(usage, callOf(known), 50)).runs).toHaveLength(2)
    await expect(usage.meter.begin(callOf(unknown))).rejects.toMatchObject({ code: 'unavailable' })
    await setting.admin('alter role llm_proxy login')
    await usage.meter.begin(callOf(unknown))
  })
})

test('a budget that is set while the one before is being read counts from the next call on', async () => {
  const reads: PromiseWithResolvers<BudgetsRead>[] = []
  const budgets = createBudgets({
    read() {
      const read = Promise.withResolvers<BudgetsRead>()
      reads.push(read)
      return read.promise
    },
    alerts: { check: () => undefined, settled: () => Promise.resolve() },
    refreshMs: 30_000,
    refuseUnpriced: true,
    refuseUnmetered: true,
    now: () => NOON,
    log: createLogger({ service: 'test', level: 'silent' }),
  })
  const readTokens = (tokens: number): BudgetsRead => ({
    budgets: [{ period: 'day', setBy: 'user', tokens, money: undefined }],
    day: noSums(),
    month: noSums(),
  })
  const ready = budgets.ready('hasty')
  budgets.changed('hasty')
  reads[0]?.resolve(readTokens(1_000_000))
  await new Promise((resolve) => setImmediate(resolve))
  reads[1]?.resolve(readTokens(5))
  await ready
  const claim = { tokens: 10, cost: () => undefined, model: 'm', free: false, unmetered: false }
  expect(() => budgets.reserve('hasty', claim)).toThrow('is 5 tokens a day')
})
