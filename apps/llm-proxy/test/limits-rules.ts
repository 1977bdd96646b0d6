import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLimits } from '../src/limits/limits.ts'
import type { Limits } from '../src/limits/limits.ts'
import type { LimitsConfig } from '../src/limits/config.ts'
import type { LimitStore } from '../src/limits/store.ts'
import { all, Clock, crowd, OPEN, reasonOf, refusalOf, reserve } from './limits-setting.ts'
import { userOf } from './usage-setting.ts'

/** What holds wherever counts are kept. */
export function theSameLimits(storeAt: (now: () => number) => LimitStore): void {
  let store: LimitStore
  const clock = new Clock()
  beforeAll(async () => {
    store = storeAt(clock.now)
    await store.start()
  })
  const open = (config: Partial<LimitsConfig>): Limits => createLimits({ ...OPEN, ...config }, store)
  afterAll(() => store.close())
  let users = 0
  const somebody = () => `user-${(users += 1)}`

  test.each([
    ['requests_per_minute', { LLM_REQUESTS_PER_MINUTE: all(7) }, 1, 7],
    ['tokens_per_minute', { LLM_TOKENS_PER_MINUTE: all(705) }, 100, 7],
    ['concurrent_requests', { LLM_CONCURRENT_REQUESTS: all(7) }, 1, 7],
  ])(
    'of 50 callers at once exactly as many are let in as %s allows',
    async (reason, config, tokens, allowed) => {
      const limits = open(config)
      const { admitted, reasons } = await crowd(limits, somebody(), 50, tokens)
      expect(admitted).toHaveLength(allowed)
      expect(reasons).toEqual([reason])
    },
  )

  test('a refused call consumes nothing of anything', async () => {
    const user = somebody()
    const limits = open({
      LLM_TOKENS_PER_MINUTE: all(100),
      LLM_REQUESTS_PER_MINUTE: all(2),
      LLM_CONCURRENT_REQUESTS: all(2),
    })
    await reserve(limits, user, 90)
    for (let refused = 0; refused < 20; refused += 1)
      expect(await reasonOf(limits, user, 11)).toBe('tokens_per_minute')
    // Neither the twenty requests nor their places nor their tokens count.
    expect((await reserve(limits, user, 10)).headers).toMatchObject({
      'x-waybill-ratelimit-remaining-tokens': '0',
    })
  })

  test('what was reserved and not used goes back, and what was used beyond it is taken', async () => {
    const user = somebody()
    const limits = open({ LLM_TOKENS_PER_MINUTE: all(100) })
    const first = await reserve(limits, user, 100)
    expect(await reasonOf(limits, user)).toBe('tokens_per_minute')
    first.end(30)
    const second = await reserve(limits, user, 70)
    second.end(75)
    expect(await reasonOf(limits, user)).toBe('tokens_per_minute')
  })

  test.each([
    ['tokens', { LLM_TOKENS_PER_MINUTE: all(100) }],
    ['places', { LLM_CONCURRENT_REQUESTS: all(2) }],
  ])('ending twice gives its %s back once', async (_, config) => {
    const user = somebody()
    const limits = open(config)
    const first = await reserve(limits, user, 50)
    await reserve(limits, user, 50)
    first.end(0)
    first.end(0)
    expect((await crowd(limits, user, 5, 50)).admitted).toHaveLength(1)
  })

  test('of several limits that are reached, the one is told that lasts longest', async () => {
    const user = somebody()
    const limits = open({ LLM_REQUESTS_PER_MINUTE: all(1), LLM_CONCURRENT_REQUESTS: all(1) })
    await reserve(limits, user)
    expect((await refusalOf(limits, user)).headers['Retry-After']).toBe('60')
    clock.at += 59_500
    expect((await refusalOf(limits, user)).extensions.reason).toBe('concurrent_requests')
  })

  test('nothing goes back into a later window', async () => {
    const user = somebody()
    const limits = open({ LLM_TOKENS_PER_MINUTE: all(100) })
    const old = await reserve(limits, user, 100)
    clock.at += 60_000
    await reserve(limits, user, 100)
    old.end(0)
    expect(await reasonOf(limits, user)).toBe('tokens_per_minute')
  })

  test('each window begins with its own first call, and refuses until exactly its end', async () => {
    const user = somebody()
    const limits = open({ LLM_REQUESTS_PER_MINUTE: all(1) })
    await reserve(limits, user)
    clock.at += 59_999
    const refused = await refusalOf(limits, user)
    expect(refused.headers).toMatchObject({
      'Retry-After': '1',
      'retry-after-ms': '1',
      'x-ratelimit-limit-requests': '1',
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '1ms',
      'x-ratelimit-limit-tokens': '1000000',
      'x-ratelimit-remaining-tokens': '999999',
      'x-ratelimit-reset-tokens': '1ms',
    })
    clock.at += 1
    await reserve(limits, user)
  })

  test('requests that are used up leave the tokens alone, and the other way round', async () => {
    const user = somebody()
    const limits = open({ LLM_TOKENS_PER_MINUTE: all(100) })
    await reserve(limits, user, 100)
    expect(await reasonOf(limits, user)).toBe('tokens_per_minute')
    const { headers } = await reserve(limits, user, 0)
    expect(headers).toMatchObject({ 'x-waybill-ratelimit-remaining-requests': '999998' })
  })

  test('a call that may use more than the limit is refused for good', async () => {
    const limits = open({ LLM_TOKENS_PER_MINUTE: all(100) })
    const refused = await refusalOf(limits, somebody(), 101)
    expect(refused.message).toBe(
      'This request may use 101 tokens; the limit for you is 100 a minute. Ask for fewer.',
    )
    expect(refused.headers).toMatchObject({ 'x-should-retry': 'false', 'Retry-After': '60' })
  })

  test('an API key has limits of its own, and counts within those of its owner', async () => {
    const user = somebody()
    const limits = open({ LLM_REQUESTS_PER_MINUTE: all(5), API_KEY_LLM_REQUESTS_PER_MINUTE: all(3) })
    const withKey = (apiKeyId: string) => userOf(user, { apiKeyId })
    expect((await crowd(limits, withKey('one'), 50)).admitted).toHaveLength(3)
    expect((await refusalOf(limits, withKey('one'))).message).toBe(
      'The limit for this API key is 3 requests a minute.',
    )
    expect((await crowd(limits, withKey('two'), 50)).admitted).toHaveLength(2)
    expect((await refusalOf(limits, withKey('two'))).message).toBe(
      'The limit for you is 5 requests a minute.',
    )
    expect(await reasonOf(limits, user)).toBe('requests_per_minute')
  })

  test('what the owner is refused, the key is not charged for', async () => {
    const user = somebody()
    const limits = open({ LLM_CONCURRENT_REQUESTS: all(1), API_KEY_LLM_REQUESTS_PER_MINUTE: all(2) })
    const key = userOf(user, { apiKeyId: 'key' })
    const own = await reserve(limits, user)
    for (let refused = 0; refused < 5; refused += 1)
      expect(await reasonOf(limits, key)).toBe('concurrent_requests')
    own.end(1)
    ;(await reserve(limits, key)).end(1)
    ;(await reserve(limits, key)).end(1)
    expect(await reasonOf(limits, key)).toBe('requests_per_minute')
  })

  test('a user called like an API key is somebody else', async () => {
    const limits = open({ LLM_REQUESTS_PER_MINUTE: all(1) })
    const name = somebody()
    await reserve(limits, userOf(somebody(), { apiKeyId: name }))
    await reserve(limits, name)
  })

  test('the tier says how many; one that nobody knows is the least', async () => {
    const limits = open({ LLM_CONCURRENT_REQUESTS: { free: 1, standard: 2, premium: 3 } })
    for (const [tier, allowed] of [
      ['free', 1],
      ['standard', 2],
      ['premium', 3],
      ['constructor', 1],
    ] as const) {
      expect((await crowd(limits, userOf(somebody(), { tier }), 10)).admitted, tier).toHaveLength(allowed)
    }
  })

  test('a place is free again when its call ends', async () => {
    const user = somebody()
    const limits = open({ LLM_CONCURRENT_REQUESTS: all(2) })
    const { admitted } = await crowd(limits, user, 2)
    const refused = await refusalOf(limits, user)
    expect(refused.extensions.reason).toBe('concurrent_requests')
    expect(refused.headers).toMatchObject({ 'Retry-After': '1', 'retry-after-ms': '1000' })
    admitted[0]?.end(1)
    await reserve(limits, user)
  })

  test('tokens of a call that has its place take no other, and leave it where it is', async () => {
    const user = somebody()
    const limits = open({
      LLM_CONCURRENT_REQUESTS: all(1),
      LLM_REQUESTS_PER_MINUTE: all(3),
      LLM_TOKENS_PER_MINUTE: all(10),
    })
    await reserve(limits, user, 0)
    const more = async (tokens: number) => limits.reserve(userOf(user), { calls: 0, tokens })
    const tokens = await more(8)
    expect(tokens.headers['x-waybill-ratelimit-remaining-requests']).toBe('2')
    await expect(more(3)).rejects.toMatchObject({ extensions: { reason: 'tokens_per_minute' } })
    tokens.end(1)
    await more(9)
    expect(await reasonOf(limits, user, 0)).toBe('concurrent_requests')
  })
}
