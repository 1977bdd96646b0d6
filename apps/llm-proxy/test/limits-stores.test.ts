import { createHash } from 'node:crypto'
import { connectRedis, createLogger, Problem, Secret } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { HAS_REDIS, startRedis } from '../../../packages/service-kit/test/redis-server.ts'
import type { RedisServer } from '../../../packages/service-kit/test/redis-server.ts'
import type { LimitsConfig } from '../src/limits/config.ts'
import { createLimits } from '../src/limits/limits.ts'
import type { Limits } from '../src/limits/limits.ts'
import { createMemoryStore } from '../src/limits/memory-store.ts'
import { createRedisStore } from '../src/limits/redis-store.ts'
import type { LimitStore } from '../src/limits/store.ts'
import { userOf } from './usage-setting.ts'

const log = createLogger({ service: 'test', level: 'silent' })
const all = (limit: number) => ({ free: limit, standard: limit, premium: limit })
const MANY = all(1_000_000)
const OPEN: LimitsConfig = {
  ANONYMOUS_CALLS_PER_MINUTE: 600,
  LLM_REQUESTS_PER_MINUTE: MANY,
  LLM_TOKENS_PER_MINUTE: MANY,
  LLM_CONCURRENT_REQUESTS: MANY,
  API_KEY_LLM_REQUESTS_PER_MINUTE: MANY,
  API_KEY_LLM_TOKENS_PER_MINUTE: MANY,
  API_KEY_LLM_CONCURRENT_REQUESTS: MANY,
  CONCURRENCY_LEASE_SECONDS: 60,
}

/** The clock of a test, in milliseconds. */
class Clock {
  at = Date.parse('2026-11-25T12:00:00Z')
  readonly now = (): number => this.at
}

const reserve = async (limits: Limits, who: string | UserPrincipal, tokens = 1) =>
  limits.reserve(typeof who === 'string' ? userOf(who) : who, { calls: 1, tokens })

/** What a refused reservation was refused with. */
async function refusalOf(limits: Limits, who: string | UserPrincipal, tokens = 1): Promise<Problem> {
  const refused: unknown = await reserve(limits, who, tokens).catch((error: unknown) => error)
  if (refused instanceof Problem) return refused
  throw new Error('it was let in')
}

const reasonOf = async (...args: Parameters<typeof refusalOf>) => (await refusalOf(...args)).extensions.reason

/** So many calls at once: how many were let in, and why the others were not. */
async function crowd(limits: Limits, who: string | UserPrincipal, size: number, tokens = 1) {
  const results = await Promise.allSettled(Array.from({ length: size }, () => reserve(limits, who, tokens)))
  const admitted = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const reasons = new Set(
    results.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Problem).extensions.reason] : [])),
  )
  return { admitted, reasons: [...reasons] }
}

function theSameLimits(storeAt: (now: () => number) => LimitStore): void {
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

describe('counted in this process', () => {
  theSameLimits((now) => createMemoryStore(now))
})

describe.skipIf(!HAS_REDIS)('counted in Redis (skipped where there is no redis-server)', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.close())
  /** Where Redis is there, nothing else counts. */
  const never: LimitStore = {
    take: () => {
      throw new Error('counted elsewhere')
    },
    start: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
  const storeAt = (now?: () => number, meanwhile = never): LimitStore =>
    createRedisStore({ url: new Secret(redis.url), meanwhile, leaseMs: 60_000, log, now })

  theSameLimits((now) => storeAt(now))

  test('several instances have one count between them, by the clock of Redis', async () => {
    const stores = [storeAt(), storeAt()]
    for (const store of stores) await store.start()
    const instances = stores.map((store) => createLimits({ ...OPEN, LLM_TOKENS_PER_MINUTE: all(100) }, store))
    const taken = await Promise.allSettled(
      Array.from({ length: 50 }, (_, at) => reserve(instances[at % 2]!, 'shared', 7)),
    )
    expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(14)
    for (const store of stores) await store.close()
  })

  test('the places of an instance that died are free when its leases end, and not before', async () => {
    const clock = new Clock()
    const [dead, alive] = [storeAt(clock.now), storeAt(clock.now)]
    await dead.start()
    await alive.start()
    const config = { ...OPEN, LLM_CONCURRENT_REQUESTS: all(2) }
    await crowd(createLimits(config, dead), 'widow', 2)
    await dead.close()
    const limits = createLimits(config, alive)
    clock.at += 59_999
    expect(await reasonOf(limits, 'widow')).toBe('concurrent_requests')
    clock.at += 1
    expect((await crowd(limits, 'widow', 5)).admitted).toHaveLength(2)
    await alive.close()
  })

  test('a call that runs for longer than a lease keeps its place while its instance lives', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const clock = new Clock()
    const store = storeAt(clock.now)
    await store.start()
    const limits = createLimits({ ...OPEN, LLM_CONCURRENT_REQUESTS: all(1) }, store)
    const long = await reserve(limits, 'patient')
    for (let thirds = 0; thirds < 9; thirds += 1) {
      clock.at += 20_000
      vi.advanceTimersByTime(20_000)
      expect(await reasonOf(limits, 'patient')).toBe('concurrent_requests')
    }
    long.end(1)
    await reserve(limits, 'patient')
    await store.close()
    vi.useRealTimers()
  })

  test('a Redis that was made to forget the scripts is told them again', async () => {
    const store = storeAt()
    await store.start()
    const direct = connectRedis(new Secret(redis.url), log)
    await direct.known
    await direct.client.scriptFlush()
    const limits = createLimits({ ...OPEN, LLM_REQUESTS_PER_MINUTE: all(2) }, store)
    expect((await crowd(limits, 'flushed', 50)).admitted).toHaveLength(2)
    await direct.close()
    await store.close()
  })

  test('keeps no name in clear, and forgets by itself', async () => {
    const store = storeAt()
    await store.start()
    await reserve(createLimits(OPEN, store), userOf('john@example.test', { apiKeyId: 'key-of-john' }))
    const direct = connectRedis(new Secret(redis.url), log)
    await direct.known
    const tag = createHash('sha256').update('john@example.test').digest('base64url')
    const keys = (await direct.client.keys('*')).filter((key) => key.includes(tag)).sort()
    expect(keys).toHaveLength(4)
    // One slot of a cluster for all that a call counts.
    for (const key of keys)
      expect(key).toMatch(/^waybill:llm:\{[\w-]{43}\}:(user|key:[\w-]{43}):(windows|places)$/)
    for (const key of keys) expect(await direct.client.pTTL(key)).toBeGreaterThan(0)
    await direct.close()
    await store.close()
  })

  test('while Redis is away each process counts for itself, and what runs can end', async () => {
    const back = Promise.withResolvers<undefined>()
    const write = (line: string) => {
      if (line.includes('can be reached again')) back.resolve(undefined)
    }
    const meanwhile = createMemoryStore()
    const url = new Secret(redis.url)
    const lines = createLogger({ service: 'test', destination: { write } })
    const store = createRedisStore({ url, meanwhile, leaseMs: 60_000, log: lines })
    await store.start()
    const limits = createLimits({ ...OPEN, LLM_CONCURRENT_REQUESTS: all(3) }, store)
    const before = await reserve(limits, 'ann')
    await redis.kill()
    before.end(1)
    const { admitted } = await crowd(limits, 'ann', 50)
    expect(admitted).toHaveLength(3)
    await redis.restart()
    await back.promise
    // Restarted it knows neither the scripts nor the places.
    expect((await crowd(limits, 'ann', 50)).admitted).toHaveLength(3)
    for (const one of admitted) one.end(1)
    expect(await reasonOf(limits, 'ann')).toBe('concurrent_requests')
    await store.close()
  })
})
