import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Clock, crowd, NOON, refusalOf, set, somebody, use } from './budgets-setting.ts'
import { answered, callOf, startUsageSetting, userOf } from './usage-setting.ts'
import type { UsageSetting } from './usage-setting.ts'

let setting: UsageSetting
beforeAll(async () => {
  setting = await startUsageSetting()
})
afterAll(() => setting.close())

const admin = userOf('root', { permissions: ['auth.admin'] })

describe('a budget is kept exactly', () => {
  test.each([
    ['of tokens', { tokens: 75 }, 7],
    // 4 of input at 2.5 and 6 of output at 10 are 70 millionths.
    ['of money', { money: { amount: '0.000490', currency: 'USD' } }, 7],
    ['of money, one millionth short', { money: { amount: '0.000489', currency: 'USD' } }, 6],
  ])('%s: of 50 calls at once as many are let in as fit', async (_, budget, allowed) => {
    const usage = setting.open({}, new Clock().now)
    const user = somebody()
    await set(usage, user, budget)
    const { runs, reasons } = await crowd(usage, callOf(user), 50)
    expect(runs).toHaveLength(allowed)
    expect(reasons).toEqual(['budget_exceeded'])
    // What was not used is there for others.
    for (const run of runs) run.end({ ...answered(0, 0), result: 'failed', usage: undefined, unused: true })
    expect((await crowd(usage, callOf(user), 50)).runs).toHaveLength(allowed)
  })

  test('what a call really used counts, not what was reserved', async () => {
    const usage = setting.open({}, new Clock().now)
    const user = somebody()
    await set(usage, user, { tokens: 100 })
    await use(usage, callOf(user, { estimatedTokens: 100 }), 30, 20)
    expect((await crowd(usage, callOf(user, { estimatedTokens: 25 }), 10)).runs).toHaveLength(2)
  })

  test('the refusal says which budget, that a repetition is of no use, and when the next period begins', async () => {
    const usage = setting.open({}, new Clock().now)
    const user = somebody()
    await set(usage, user, { tokens: 100 }, 'month')
    await use(usage, callOf(user), 60, 35)
    const refused = await refusalOf(usage, callOf(user))
    expect(refused.status).toBe(429)
    expect(refused.message).toBe(
      'The budget that you have set is 100 tokens a month; 5 are left, and this request may use 10.',
    )
    const untilDecember = Date.parse('2026-12-01T00:00:00Z') - NOON
    expect(refused.headers).toEqual({
      'x-should-retry': 'false',
      'Retry-After': String(untilDecember / 1000),
      'retry-after-ms': String(untilDecember),
    })
  })

  test('a call that the limits refuse takes nothing from the budget, and one that the budget refuses nothing from the limits', async () => {
    const usage = setting.open(
      { LLM_CONCURRENT_REQUESTS: 'free=1', LLM_REQUESTS_PER_MINUTE: 'free=3' },
      new Clock().now,
    )
    const user = somebody()
    await set(usage, user, { tokens: 20 })
    const { runs, reasons } = await crowd(usage, callOf(user), 10)
    expect(reasons).toEqual(['concurrent_requests'])
    runs[0]?.end(answered(5, 5))
    for (let refused = 0; refused < 10; refused += 1) {
      const { extensions } = await refusalOf(usage, callOf(user, { estimatedTokens: 11 }))
      expect(extensions.reason).toBe('budget_exceeded')
    }
    await use(usage, callOf(user), 5, 5)
  })

  test("of the user's own and the administrators' the lesser counts, and the user cannot raise theirs", async () => {
    const usage = setting.open({}, new Clock().now)
    const user = somebody()
    await usage.budgets.set(admin, { userId: user, period: 'day', setBy: 'admin' }, { tokens: 30 })
    await set(usage, user, { tokens: 1_000 })
    expect((await crowd(usage, callOf(user), 50)).runs).toHaveLength(3)
    expect((await refusalOf(usage, callOf(user))).message).toContain(
      'that an administrator has set is 30 tokens a day',
    )
    const name = { userId: user, period: 'day', setBy: 'admin' } as const
    await expect(usage.budgets.set(userOf(user), name, { tokens: 9_000 })).rejects.toMatchObject({
      code: '42501',
    })
    await expect(usage.budgets.remove(userOf(user), name)).rejects.toMatchObject({ code: 'not_found' })
    expect(await usage.budgets.list(userOf(user), user)).toMatchObject([
      { set_by: 'admin', tokens: 30 },
      { set_by: 'user', tokens: 1_000 },
    ])
  })

  test('a budget that is set, changed or removed counts from the next call on', async () => {
    const usage = setting.open({}, new Clock().now)
    const user = somebody()
    await use(usage, callOf(user), 40, 50)
    await set(usage, user, { tokens: 95 })
    expect((await refusalOf(usage, callOf(user))).extensions.reason).toBe('budget_exceeded')
    await set(usage, user, { tokens: 100 })
    await use(usage, callOf(user), 5, 5)
    await usage.budgets.remove(userOf(user), { userId: user, period: 'day', setBy: 'user' })
    await use(usage, callOf(user), 5_000, 5_000)
  })
})

test('a budget of money counts the model that answered, not the cheaper one that was asked', async () => {
  const usage = setting.open({}, new Clock().now)
  const user = somebody()
  await set(usage, user, { money: { amount: '0.001', currency: 'USD' } })
  const call = callOf(user, { model: 'gpt-cheap' })
  const run = await usage.meter.begin(call)
  run.end(answered(400, 0, { model: 'gpt-cheap', responseModel: 'gpt-test-2026' }))
  expect((await refusalOf(usage, call)).extensions.reason).toBe('budget_exceeded')
})

describe('models without a price', () => {
  const unpriced = { provider: 'openai', model: 'unheard-of' }

  test.each([
    ['unpriced', unpriced],
    ['priced in another currency', { provider: 'mistral', model: 'euro' }],
  ])('are refused to who has a budget of money (%s), and to nobody else', async (_, model) => {
    const usage = setting.open({}, new Clock().now)
    const [rich, poor] = [somebody(), somebody()]
    await set(usage, poor, { money: { amount: '5', currency: 'USD' } })
    await usage.meter.begin(callOf(rich, model))
    expect(await refusalOf(usage, callOf(poor, model))).toMatchObject({
      status: 403,
      extensions: { reason: 'model_not_priced' },
    })
    // Models that run here cost nothing.
    await usage.meter.begin(callOf(poor, { provider: 'local', model: 'extractive' }))
  })

  test('are let through where that is configured, until the money is used up by others', async () => {
    const usage = setting.open({ BUDGET_UNPRICED_MODELS: 'allow' }, new Clock().now)
    const user = somebody()
    await set(usage, user, { money: { amount: '0.001', currency: 'USD' } })
    await usage.meter.begin(callOf(user, unpriced))
    await use(usage, callOf(user), 400, 0)
    expect((await refusalOf(usage, callOf(user, unpriced))).extensions.reason).toBe('budget_exceeded')
  })
})

test.each([
  ['of money', { money: { amount: '0.000001', currency: 'USD' } }],
  ['of tokens', { tokens: 1 }],
])('a used-up budget %s lets through what uses nothing, and that alone', async (_, budget) => {
  const usage = setting.open({ BUDGET_UNMETERED_CALLS: 'allow' }, new Clock().now)
  const user = somebody()
  await use(usage, callOf(user), 400, 0)
  await set(usage, user, budget)
  const listing = { operation: 'other', model: '', estimatedTokens: 0 } as const
  await usage.meter.begin(callOf(user, listing))
  for (const call of [callOf(user), callOf(user, { ...listing, unmetered: true })]) {
    expect((await refusalOf(usage, call)).extensions.reason).toBe('budget_exceeded')
  }
})

describe('calls whose cost is not counted', () => {
  const batch = { operation: 'other', model: '', estimatedTokens: 0, unmetered: true } as const

  test.each([
    ['of money', { money: { amount: '5', currency: 'USD' } }],
    ['of tokens', { tokens: 100 }],
  ])('are refused to who has a budget %s, and to nobody else', async (_, budget) => {
    const usage = setting.open({}, new Clock().now)
    const [free, bound] = [somebody(), somebody()]
    await set(usage, bound, budget)
    await usage.meter.begin(callOf(free, batch))
    expect(await refusalOf(usage, callOf(bound, batch))).toMatchObject({
      status: 403,
      extensions: { reason: 'call_not_metered' },
    })
    // What asks for nothing to be made may be asked.
    await usage.meter.begin(callOf(bound, { ...batch, unmetered: false }))
  })

  test('are let through where that is configured', async () => {
    const usage = setting.open({ BUDGET_UNMETERED_CALLS: 'allow' }, new Clock().now)
    const user = somebody()
    await set(usage, user, { money: { amount: '5', currency: 'USD' } })
    await usage.meter.begin(callOf(user, batch))
  })
})

test('a budget must have left all that a call may use, whatever is reserved of the minute', async () => {
  const usage = setting.open({ LLM_TOKENS_PER_MINUTE: 'free=100' }, new Clock().now)
  const user = somebody()
  const call = callOf(user, { estimatedTokens: 64_000, reservedTokens: 60 })
  await use(usage, call, 5, 5)
  await set(usage, user, { tokens: 63_999 })
  expect((await refusalOf(usage, call)).extensions.reason).toBe('budget_exceeded')
})
