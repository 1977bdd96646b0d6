import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Usage } from '../src/usage/usage.ts'
import type { CallOutcome, MeteredCall } from '../src/usage/meter.ts'
import { answered, callOf, startUsageSetting, userOf } from './usage-setting.ts'
import type { UsageSetting } from './usage-setting.ts'

let setting: UsageSetting
let usage: Usage
let at = Date.now()

async function use(userId: string, day: string, outcome: CallOutcome, more: Partial<MeteredCall> = {}) {
  at = Date.parse(`${day}T10:00:00Z`)
  const run = await usage.meter.begin(callOf(userId, more))
  run.end(outcome)
}

beforeAll(async () => {
  setting = await startUsageSetting()
  usage = setting.open({ USAGE_GROUPS_MAX: '4' }, () => at)
  await use('ann', '2026-11-01', answered(100, 10))
  await use('ann', '2026-11-02', answered(200, 20, { keyId: 'key-2' }))
  const mistral = { provider: 'mistral', model: 'euro' }
  await use('ann', '2026-11-02', answered(7, 3, mistral), mistral)
  const openRouter = { provider: 'openrouter', model: 'unpriced' }
  await use('ann', '2026-11-02', answered(5, 5, openRouter), openRouter)
  const nothing = { usage: undefined, keyId: undefined }
  await use('ann', '2026-11-02', { ...answered(0, 0), ...nothing, result: 'failed', unused: true })
  await use('ann', '2026-11-02', {
    ...answered(0, 0),
    ...nothing,
    result: 'aborted',
    estimatedOutputTokens: 26,
  })
  await use('ann', '2026-11-02', { ...answered(9, 9), result: 'cached' })
  await use('bob', '2026-11-02', answered(1_000, 1_000))
})
afterAll(() => setting.close())

const report = (by: Parameters<Usage['report']>[1]['by'], more: object = {}) =>
  usage.report(userOf('ann'), { userId: 'ann', from: '2026-11-01', to: '2026-11-02', by, ...more })

describe("sums are of the user's own calls, whatever others use", () => {
  test('by day, the newest first, with the total of all', async () => {
    const { items, total } = await report(['day'])
    expect(items).toEqual([
      {
        day: '2026-11-02',
        requests: 6,
        failures: 1,
        aborted: 1,
        cached: 1,
        input_tokens: 200 + 7 + 5 + 4,
        output_tokens: 20 + 3 + 5 + 26,
        cached_input_tokens: 0,
        // 30 of 270: what had come back of the call that was given up, and its input.
        estimated_share: 0.1111,
        cost: [
          { amount: '0.00001', currency: 'EUR' },
          { amount: '0.00097', currency: 'USD' },
        ],
        unpriced: 1,
      },
      {
        day: '2026-11-01',
        requests: 1,
        failures: 0,
        aborted: 0,
        cached: 0,
        input_tokens: 100,
        output_tokens: 10,
        cached_input_tokens: 0,
        estimated_share: 0,
        cost: [{ amount: '0.00035', currency: 'USD' }],
        unpriced: 0,
      },
    ])
    expect(total).toMatchObject({ requests: 7, input_tokens: 316, output_tokens: 64, unpriced: 1 })
    expect(total.cost).toEqual([
      { amount: '0.00001', currency: 'EUR' },
      { amount: '0.00132', currency: 'USD' },
    ])
    expect(total).not.toHaveProperty('day')
  })

  test('by provider and model, in the order of their names', async () => {
    const { items } = await report(['provider', 'model'])
    expect(items.map(({ provider, model, requests }) => [provider, model, requests])).toEqual([
      ['mistral', 'euro', 1],
      ['openai', 'gpt-test', 5],
      ['openrouter', 'unpriced', 1],
    ])
  })

  test("by the user's own key for the provider; without one first", async () => {
    const { items } = await report(['key'])
    expect(items.map(({ key_id, requests }) => [key_id, requests])).toEqual([
      [null, 2],
      ['key-1', 4],
      ['key-2', 1],
    ])
  })

  test('of the days that are asked for alone', async () => {
    expect((await report(['day'], { to: '2026-11-01' })).total.requests).toBe(1)
    expect((await report(['day'], { from: '2026-10-01', to: '2026-10-31' })).items).toEqual([])
  })

  test('up to the call that has just ended', async () => {
    const today = new Date().toISOString().slice(0, 10)
    await use('new', today, answered(1, 1))
    const { from, to, total } = await usage.report(userOf('new'), { userId: 'new', by: ['day'] })
    expect(total.requests).toBe(1)
    expect(to).toBe(today)
    expect(Date.parse(to) - Date.parse(from)).toBe(29 * 86_400_000)
  })
})

test.each([
  [
    'a range that ends before it begins',
    { from: '2026-11-03' },
    'bad_request',
    'from (2026-11-03) is after to',
  ],
  ['more days than USAGE_RANGE_DAYS_MAX', { from: '2025-11-01' }, 'bad_request', 'are 367 days; at most 366'],
  ['more sums than USAGE_GROUPS_MAX', { by: ['day', 'model', 'key'] }, 'unprocessable', 'more than 4 sums'],
])('%s is refused, and named', async (_, asked, code, detail) => {
  const refused: unknown = await report(['day'], asked).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code })
  expect((refused as Error).message).toContain(detail)
})

test('what is older than USAGE_RETENTION_DAYS is forgotten at the start', async () => {
  at = Date.now() - 40 * 86_400_000
  const day = new Date(at).toISOString().slice(0, 10)
  await use('old', day, answered(1, 1))
  await usage.ledger.flush()
  const rows = () => setting.admin(`select 1 from usage where user_id = 'old'`)
  await setting.open({ USAGE_RETENTION_DAYS: '41' }).start()
  expect(await rows()).toHaveLength(1)
  // More than go with one statement.
  await setting.admin(
    `insert into usage select gen_random_uuid(), at, day, user_id, api_key_id, provider, model, key_id, operation, stream, result,
       input_tokens, output_tokens, cached_tokens, estimated, cost_micros, currency, request_id, counted_by
     from usage, generate_series(1, 20000) where user_id = 'old'`,
  )
  await setting.open({ USAGE_RETENTION_DAYS: '39' }).start()
  expect(await rows()).toHaveLength(0)
})
