import '@waybill/telemetry/register'
import { metricsText, stopTelemetry } from '@waybill/telemetry'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Usage } from '../src/usage/usage.ts'
import { answered, callOf, startUsageSetting, userOf } from './usage-setting.ts'
import type { UsageSetting } from './usage-setting.ts'

let setting: UsageSetting
beforeAll(async () => {
  setting = await startUsageSetting()
})
afterAll(async () => {
  await setting.close()
  await stopTelemetry()
})

let at = Date.parse('2026-11-25T12:00:00Z')
const open = (environment: Record<string, string> = {}) => setting.open(environment, () => at)

const setTokens = (usage: Usage, userId: string, tokens: number, period: 'day' | 'month' = 'day') =>
  usage.budgets.set(userOf(userId), { userId, period, setBy: 'user' }, { tokens })

async function use(usage: Usage, userId: string, tokens: number): Promise<void> {
  const run = await usage.meter.begin(callOf(userId, { estimatedTokens: 1, estimatedInputTokens: 0 }))
  run.end(answered(tokens, 0))
}

const alertsOf = (usage: Usage, userId: string) => usage.alerts(userOf(userId), 50)
const lines = (userId: string) =>
  setting
    .logged()
    .filter(
      (line) => line.user_id === userId && line.msg === 'a budget is used up to the percentage of an alert',
    )

describe('an alert is given', () => {
  test('at each percentage, once for a budget and its period: a row, and a line in the log at warn', async () => {
    const usage = open()
    await setTokens(usage, 'ann', 100)
    await use(usage, 'ann', 79)
    expect(await alertsOf(usage, 'ann')).toEqual([])
    await use(usage, 'ann', 1)
    for (let calls = 0; calls < 5; calls += 1) await use(usage, 'ann', 1)
    expect(await alertsOf(usage, 'ann')).toEqual([
      {
        period: 'day',
        starts: '2026-11-25',
        set_by: 'user',
        measure: 'tokens',
        percent: 80,
        budget: '100',
        used: '80',
        currency: null,
        at: expect.any(String),
      },
    ])
    await use(usage, 'ann', 20)
    expect((await alertsOf(usage, 'ann')).map(({ percent }) => percent)).toEqual([100, 80])
    expect(lines('ann')).toMatchObject([
      { level: 'warn', percent: 80, used: '80' },
      { level: 'warn', percent: 100, used: '105' },
    ])
  })

  test('by fifty calls that end at once: one of each', async () => {
    const usage = open()
    await setTokens(usage, 'crowd', 100)
    const call = callOf('crowd', { estimatedTokens: 2 })
    const runs = await Promise.all(Array.from({ length: 50 }, () => usage.meter.begin(call)))
    for (const run of runs) run.end(answered(2, 0))
    expect((await alertsOf(usage, 'crowd')).map(({ percent }) => percent)).toEqual([100, 80])
    expect(lines('crowd')).toHaveLength(2)
  })

  test('by one of several instances, whoever comes first', async () => {
    const [one, other] = [open(), open()]
    await setTokens(one, 'twins', 100)
    await use(one, 'twins', 85)
    await one.ledger.flush()
    await use(other, 'twins', 1)
    await alertsOf(one, 'twins')
    await alertsOf(other, 'twins')
    expect(lines('twins')).toHaveLength(1)
  })

  test('of money in its currency', async () => {
    const counted = /^waybill_budget_alerts_total\{.*waybill_limit="money_per_month".*\} 1( \d+)?$/m
    expect(await metricsText()).not.toMatch(counted)
    const usage = open({ BUDGET_ALERT_PERCENTS: '50' })
    const name = { userId: 'rich', period: 'month', setBy: 'user' } as const
    await usage.budgets.set(userOf('rich'), name, { money: { amount: '0.005', currency: 'USD' } })
    await use(usage, 'rich', 1_000)
    expect(await alertsOf(usage, 'rich')).toMatchObject([
      {
        measure: 'money',
        percent: 50,
        budget: '0.005',
        used: '0.0025',
        currency: 'USD',
        starts: '2026-11-01',
      },
    ])
    expect(await metricsText()).toMatch(counted)
  })

  test('anew when the period begins anew, and for a budget that was changed', async () => {
    const usage = open({ BUDGET_ALERT_PERCENTS: '50' })
    await setTokens(usage, 'again', 100)
    await use(usage, 'again', 60)
    await setTokens(usage, 'again', 120)
    await use(usage, 'again', 1)
    at += 86_400_000
    await use(usage, 'again', 60)
    expect((await alertsOf(usage, 'again')).map(({ starts, budget }) => [starts, budget]).sort()).toEqual([
      ['2026-11-25', '100'],
      ['2026-11-25', '120'],
      ['2026-11-26', '120'],
    ])
  })

  test('a little later, when it could not be kept at first', async () => {
    const usage = open({ BUDGET_ALERT_PERCENTS: '50' })
    await setTokens(usage, 'later', 100)
    await use(usage, 'later', 1)
    await setting.admin('revoke insert on budget_alerts from llm_proxy')
    await use(usage, 'later', 60)
    expect(await alertsOf(usage, 'later')).toEqual([])
    await setting.admin('grant insert on budget_alerts to llm_proxy')
    await use(usage, 'later', 1)
    expect(await alertsOf(usage, 'later')).toHaveLength(1)
    expect(lines('later')).toHaveLength(1)
  })
})

test('an alert is for whose budget it is', async () => {
  const usage = open()
  await setTokens(usage, 'private', 100)
  await use(usage, 'private', 90)
  expect(await alertsOf(usage, 'private')).toHaveLength(1)
  expect(await usage.alerts(userOf('nosy'), 50)).toEqual([])
})
