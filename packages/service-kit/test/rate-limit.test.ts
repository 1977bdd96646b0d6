import { createClient } from '@redis/client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createLogger, createQuotas, Secret } from '../src/index.ts'
import type { Counter, Quotas } from '../src/index.ts'
import { HAS_REDIS, startRedis } from './redis-server.ts'
import type { RedisServer } from './redis-server.ts'
import { logSink } from './stand.ts'

const silent = createLogger({ service: 'test', level: 'silent' })

/** Counts until one is refused: how many were allowed. */
async function allowed(count: Counter, key: string): Promise<number> {
  for (let calls = 0; ; calls += 1) if ((await count(key)).exceeded) return calls
}

function theSameCounts(open: () => Quotas): void {
  test('as many as the limit are allowed, and each answer says what is left', async () => {
    const quotas = open()
    await quotas.start()
    const count = quotas.counter('thing', 3, 60)
    const seen = [await count('a'), await count('a'), await count('a'), await count('a')]
    expect(seen.map(({ remaining, exceeded }) => [remaining, exceeded])).toEqual([
      [2, false],
      [1, false],
      [0, false],
      [0, true],
    ])
    for (const { name, limit, windowSeconds, resetSeconds } of seen) {
      expect({ name, limit, windowSeconds }).toEqual({ name: 'thing', limit: 3, windowSeconds: 60 })
      expect(resetSeconds).toBeGreaterThan(0)
      expect(resetSeconds).toBeLessThanOrEqual(60)
    }
    expect((await count('b')).remaining).toBe(2)
    await quotas.close()
  })

  test('of a hundred at once exactly as many are allowed', async () => {
    const quotas = open()
    await quotas.start()
    const count = quotas.counter('crowd', 7, 60)
    const all = await Promise.all(Array.from({ length: 100 }, () => count('a')))
    expect(all.filter(({ exceeded }) => !exceeded)).toHaveLength(7)
    await quotas.close()
  })

  test('two allowances do not touch each other', async () => {
    const quotas = open()
    await quotas.start()
    expect(await allowed(quotas.counter('one', 2, 60), 'a')).toBe(2)
    expect(await allowed(quotas.counter('other', 4, 60), 'a')).toBe(4)
    await quotas.close()
  })
}

describe('counted in this process', () => {
  theSameCounts(() => createQuotas({ log: silent }))
})

describe.skipIf(!HAS_REDIS)('counted in Redis (skipped where there is no redis-server)', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.close())
  const open = (log = silent): Quotas => createQuotas({ redisUrl: new Secret(redis.url), log })
  const clientOf = () => createClient({ url: redis.url })
  const withClient = async <T>(work: (client: ReturnType<typeof clientOf>) => Promise<T>): Promise<T> => {
    const client = clientOf()
    await client.connect()
    try {
      return await work(client)
    } finally {
      client.destroy()
    }
  }
  const keys = () => withClient(async (client) => client.keys('*'))
  beforeEach(() => withClient(async (client) => client.flushAll()))

  theSameCounts(open)

  test('several instances have one count between them', async () => {
    const both = [open(), open()]
    for (const quotas of both) await quotas.start()
    const counters = both.map((quotas) => quotas.counter('shared', 5, 60))
    const all = await Promise.all(Array.from({ length: 20 }, (_, at) => counters[at % 2]!('a')))
    expect(all.filter(({ exceeded }) => !exceeded)).toHaveLength(5)
    for (const quotas of both) await quotas.close()
  })

  test('holds no name and no address in clear, and forgets by itself', async () => {
    const quotas = open()
    await quotas.start()
    await quotas.counter('account', 5, 60)('john@example.test')
    const [key] = await keys()
    expect(key).toMatch(/^waybill:quota:account:5:60:[\w-]{43}$/)
    expect(await withClient(async (client) => client.ttl(key!))).toBeGreaterThan(0)
    await quotas.close()
  })

  test('while Redis is away each process counts for itself, nothing fails, and it is logged once', async () => {
    const sink = logSink()
    const back = Promise.withResolvers<undefined>()
    const write = (line: string) => {
      sink.stream.write(line)
      if (line.includes('can be reached again')) back.resolve(undefined)
    }
    const quotas = open(createLogger({ service: 'test', destination: { write } }))
    await quotas.start()
    const count = quotas.counter('outage', 3, 60)
    await count('a')
    await redis.kill()
    expect(await allowed(count, 'b')).toBe(3)
    expect(await allowed(count, 'c')).toBe(3)
    const gone = sink.lines().filter(({ msg }) => String(msg).includes('Redis cannot be reached'))
    expect(gone).toHaveLength(1)
    expect(sink.text()).not.toContain(redis.url)
    await redis.restart()
    await back.promise
    expect(await allowed(count, 'b')).toBe(3)
    await quotas.close()
  })
})

test('a Redis that was never there keeps nothing from working, nor from closing', async () => {
  const quotas = createQuotas({ redisUrl: new Secret('redis://127.0.0.1:1'), log: silent })
  await quotas.start()
  expect(await allowed(quotas.counter('thing', 2, 60), 'a')).toBe(2)
  await quotas.close()
})
