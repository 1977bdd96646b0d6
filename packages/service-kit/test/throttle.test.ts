import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  ConfigError,
  createLogger,
  createQuotas,
  createThrottle,
  loadConfig,
  Problem,
  route,
  throttleEnv,
} from '../src/index.ts'
import type { Authenticate, Denial, UserPrincipal } from '../src/index.ts'
import { anybody, ask, stand, writer } from './stand.ts'

const guarded = route('GET', '/guarded', {
  auth: writer,
  summary: 'For who may',
  handle: () => ({ ok: true }),
})
const open = route('GET', '/open', { auth: anybody, summary: 'For all', handle: () => ({ ok: true }) })

/** `Bearer name/tier/key/actor`, each part but the name may be empty. */
const authenticate: Authenticate = (req) => {
  const [name, tier, key, actor] = req.headers.authorization?.replace('Bearer ', '').split('/') ?? []
  if (name === undefined) return Promise.resolve(undefined)
  if (name === 'bad') return Promise.reject(new Problem('invalid_token', 'The token has expired.'))
  const principal: UserPrincipal = {
    ...{ kind: 'user', userId: name, role: 'user', actors: actor ? [actor] : [], via: 'jwt' },
    permissions: name.startsWith('weak') ? [] : ['things.write'],
    ...(tier && { tier }),
    ...(key && { apiKeyId: key }),
  }
  return Promise.resolve({ principal })
}

const throttled = async (environment: NodeJS.ProcessEnv) => {
  const quotas = createQuotas({ log: createLogger({ service: 'test', level: 'silent' }) })
  const config = loadConfig(z.object(throttleEnv), environment)
  const denials: Denial[] = []
  const here = await stand(
    [guarded, open],
    {},
    {
      auth: { authenticate },
      throttle: createThrottle(quotas, config),
      denied: (denial) => {
        denials.push(denial)
        return denial.problem.code === 'forbidden' ? Promise.resolve() : Promise.reject(new Error('no audit'))
      },
    },
  )
  const get = (path: string, who?: string) =>
    ask(here.url + path, { headers: who === undefined ? {} : { Authorization: `Bearer ${who}` } })
  /** The statuses of so many calls. */
  const statuses = async (times: number, path: string, who?: string) => {
    const all: number[] = []
    for (let count = 0; count < times; count += 1) all.push((await get(path, who)).status)
    return all
  }
  return { here, get, statuses, denials, [Symbol.asyncDispose]: () => here[Symbol.asyncDispose]() }
}

const LIMITS = {
  API_CALLS_PER_MINUTE: 'free=1,standard=2,premium=3',
  API_KEY_CALLS_PER_MINUTE: 'standard=1',
  ANONYMOUS_CALLS_PER_MINUTE: '2',
}

describe('calls are counted', () => {
  test('of a user by the tier, and the next one is 429 with Retry-After and what was allowed', async () => {
    await using service = await throttled(LIMITS)
    expect(await service.statuses(2, '/guarded', 'ann/free')).toEqual([200, 429])
    expect(await service.statuses(3, '/guarded', 'bob/standard')).toEqual([200, 200, 429])
    expect(await service.statuses(4, '/guarded', 'eve/premium')).toEqual([200, 200, 200, 429])
    const { headers, body } = await service.get('/guarded', 'ann/free')
    expect(headers.get('ratelimit-policy')).toBe('"calls-free";q=1;w=60')
    expect(headers.get('ratelimit')).toMatch(/^"calls-free";r=0;t=\d+$/)
    // In seconds, and as the SDKs of model vendors read it first.
    const ms = Number(headers.get('retry-after-ms'))
    expect(ms).toBeGreaterThan(0)
    expect(headers.get('retry-after')).toBe(String(Math.ceil(ms / 1000)))
    expect(body).toMatchObject({ code: 'rate_limited', status: 429 })
  })

  test('of a tier that nobody knows, and of none, as the least', async () => {
    await using service = await throttled(LIMITS)
    expect(await service.statuses(2, '/guarded', 'ann')).toEqual([200, 429])
    expect(await service.statuses(2, '/guarded', 'bob/constructor')).toEqual([200, 429])
  })

  test('with each API key by itself, beside what its owner calls', async () => {
    await using service = await throttled(LIMITS)
    expect(await service.statuses(2, '/guarded', 'ann/standard/key1')).toEqual([200, 429])
    expect(await service.statuses(2, '/guarded', 'ann/standard/key2')).toEqual([200, 429])
    expect(await service.statuses(3, '/guarded', 'ann/standard')).toEqual([200, 200, 429])
  })

  test('of anybody by address, on open routes and with what proves nobody', async () => {
    await using service = await throttled(LIMITS)
    expect((await service.get('/open')).status).toBe(200)
    expect((await service.get('/guarded', 'bad')).status).toBe(401)
    expect((await service.get('/guarded', 'bad')).status).toBe(429)
    expect((await service.get('/open')).status).toBe(429)
    expect((await service.get('/guarded')).status).toBe(429)
    expect((await service.get('/guarded', 'ann/free')).status).toBe(200)
  })

  test('where the journey began, and not again where a service calls for the user', async () => {
    await using service = await throttled(LIMITS)
    expect(await service.statuses(3, '/guarded', 'ann/free//gateway')).toEqual([200, 200, 200])
  })

  test('of who may not, too: a refusal is a call', async () => {
    await using service = await throttled(LIMITS)
    expect(await service.statuses(2, '/guarded', 'weak/free')).toEqual([403, 429])
  })
})

test('whoever listens is told of each 403, of nothing else, and cannot hide it by failing', async () => {
  await using service = await throttled({})
  expect(await service.statuses(1, '/guarded', 'weak')).toEqual([403])
  expect(await service.statuses(1, '/guarded')).toEqual([401])
  expect(await service.statuses(1, '/guarded', 'ann')).toEqual([200])
  expect(service.denials).toMatchObject([
    {
      route: { path: '/guarded' },
      principal: { userId: 'weak' },
      problem: { code: 'insufficient_permission' },
    },
  ])
  expect(service.here.log.text()).toContain('a denial could not be recorded')
})

test.each(['free=0', 'gold=5', 'free', 'free=x', 'free=1;standard=2', '60'])(
  'API_CALLS_PER_MINUTE=%s does not do, and is named',
  (value) => {
    const load = () => loadConfig(z.object(throttleEnv), { API_CALLS_PER_MINUTE: value })
    expect(load).toThrow(ConfigError)
    expect(load).toThrow(/API_CALLS_PER_MINUTE: must be numbers by tier/)
  },
)

test.each(['cache.example:6379', 'https://cache.example', 'somewhere'])(
  'REDIS_URL=%s does not do, and is named without being quoted',
  (value) => {
    const load = () => loadConfig(z.object(throttleEnv), { REDIS_URL: value })
    expect(load).toThrow(/REDIS_URL: must be a redis:\/\/ or rediss:\/\/ URL/)
    expect(load).not.toThrow(value)
  },
)

test('a tier that is left out keeps its default', () => {
  const config = loadConfig(z.object(throttleEnv), { API_CALLS_PER_MINUTE: 'premium = 9' })
  expect(config.API_CALLS_PER_MINUTE).toEqual({ free: 120, standard: 1200, premium: 9 })
})
