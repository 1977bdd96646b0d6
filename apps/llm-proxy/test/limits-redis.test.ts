import { createHash } from 'node:crypto'
import { connectRedis, createLogger, Secret } from '@waybill/service-kit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { HAS_REDIS, startRedis } from '../../../packages/service-kit/test/redis-server.ts'
import type { RedisServer } from '../../../packages/service-kit/test/redis-server.ts'
import { createLimits } from '../src/limits/limits.ts'
import { createMemoryStore } from '../src/limits/memory-store.ts'
import { createRedisStore } from '../src/limits/redis-store.ts'
import type { LimitStore } from '../src/limits/store.ts'
import { theSameLimits } from './limits-rules.ts'
import { all, Clock, crowd, OPEN, reasonOf, reserve } from './limits-setting.ts'
import { userOf } from './usage-setting.ts'

const log = createLogger({ service: 'test', level: 'silent' })

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
