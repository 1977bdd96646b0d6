import { createLogger, runInContext } from '@waybill/service-kit'
import { describe, expect, test } from 'vitest'
import type { AttemptOutcome } from '../src/routing/routing.ts'
import { realTiming } from '../src/routing/timing.ts'
import { createTestTiming, next, provider, routingOf, seeded } from './routing-setting.ts'

const answered = (status: number, more: object = {}): AttemptOutcome => ({
  kind: 'answered',
  status,
  ...more,
})
const OK = answered(200)
const log = createLogger({ service: 'llm-proxy', level: 'silent' })
const everything = (more: object) => ({ match: {}, ...more })

describe('without a route', () => {
  test('there is one attempt, where the request was going, whatever comes of it', async () => {
    for (const outcome of [answered(503), { kind: 'refused' } as const, OK]) {
      const attempts = routingOf([]).attempts()
      expect(await next(attempts)).toBe('openai')
      expect(attempts.failed(outcome)).toBe(false)
      expect(await next(attempts)).toBeUndefined()
      expect(attempts.repeated).toBe(false)
    }
  })
})

describe('retries', () => {
  const retries = { attempts: 3, max_pause_ms: 1_000 }

  test('go to the same place after pauses that double, up to the longest', async () => {
    const { attempts, pauses } = routingOf([everything({ retries })])
    const one = attempts()
    for (const _ of [1, 2, 3]) {
      expect(await next(one)).toBe('openai')
      expect(one.failed(answered(503))).toBe(true)
    }
    expect(await next(one)).toBe('openai')
    expect(one.failed(answered(503))).toBe(false)
    expect(pauses).toEqual([187.5, 375, 750])
    expect(one.repeated).toBe(true)
  })

  test('are spread by chance', async () => {
    const pausesOf = async (chance: number) => {
      const { attempts, pauses } = routingOf(
        [everything({ retries })],
        createTestTiming(() => chance),
      )
      const one = attempts()
      await next(one)
      one.failed({ kind: 'broken' })
      await next(one)
      return pauses
    }
    expect(await pausesOf(0)).toEqual([125])
    expect(await pausesOf(0.8)).toEqual([225])
  })

  test('wait as long as the provider asks, and not at all when that is longer than the longest pause', async () => {
    const { attempts, pauses } = routingOf([everything({ retries })])
    const one = attempts()
    await next(one)
    expect(one.failed(answered(429, { retryAfterMs: 900 }))).toBe(true)
    await next(one)
    expect(pauses).toEqual([900])
    expect(one.failed(answered(429, { retryAfterMs: 1_001 }))).toBe(false)
    expect(one.repeated).toBe(true)
  })

  test.each<[string, AttemptOutcome]>([
    ['what went well', OK],
    ['what the client did wrong', answered(400)],
    ['a quota that is used up, or what the provider says not to repeat', answered(429, { final: true })],
    ["what fails at the endpoint of a user's own key", answered(503, { ownEndpoint: true })],
  ])('are not made of %s', async (_, outcome) => {
    const one = routingOf([everything({ retries })]).attempts()
    await next(one)
    expect(one.failed(outcome)).toBe(false)
    expect(one.repeated).toBe(false)
  })

  test('are made of that only which the route names', async () => {
    const { attempts } = routingOf([everything({ retries: { ...retries, on: [529, 'refused'] } })])
    for (const [outcome, again] of [
      [answered(529), true],
      [{ kind: 'refused' }, true],
      [answered(503), false],
      [{ kind: 'broken' }, false],
    ] as [AttemptOutcome, boolean][]) {
      const one = attempts()
      await next(one)
      expect(one.failed(outcome)).toBe(again)
    }
  })

  test('are not made of a body that cannot be sent again', async () => {
    const { attempts } = routingOf([everything({ retries, fallbacks: [{ provider: 'mistral' }] })])
    const one = attempts({ repeatable: false })
    await next(one)
    expect(one.failed(answered(503))).toBe(false)
  })

  test('are not made when the pause would outlast the request', async () => {
    const { attempts } = routingOf([everything({ retries })])
    const again = (deadline: number) =>
      runInContext({ requestId: 'r', log, deadline, signal: new AbortController().signal }, async () => {
        const one = attempts()
        await next(one)
        return one.failed(answered(503))
      })
    expect(await again(Date.now() + 10)).toBe(false)
    expect(await again(Date.now() + 60_000)).toBe(true)
  })

  test('of a route together are at most its budget: ten, and a fifth of its requests', async () => {
    const { attempts } = routingOf([everything({ retries: { ...retries, attempts: 1 } })])
    let made = 0
    for (let i = 0; i < 100; i++) {
      const one = attempts()
      await next(one)
      if (one.failed({ kind: 'timeout' })) made += 1
    }
    expect(made).toBe(10 + 100 / 5 - 1)
  })

  test('are given up at once when the client goes away in the pause', async () => {
    const route = everything({ retries: { attempts: 1, max_pause_ms: 60_000 } })
    const one = routingOf([route], { ...createTestTiming(), timing: realTiming }).attempts()
    await next(one)
    expect(one.failed(answered(503, { retryAfterMs: 59_000 }))).toBe(true)
    const client = new AbortController()
    const again = next(one, client.signal)
    client.abort(new Error('gone'))
    await expect(again).rejects.toThrow('gone')
  })
})

describe('fallbacks', () => {
  const fallbacks = [
    { provider: 'mistral', model: 'm' },
    { provider: 'openai', key: 'spare' },
  ]

  test('are tried in their order once the target fails, without a pause', async () => {
    const { attempts, pauses } = routingOf([everything({ fallbacks })])
    const one = attempts()
    const seen = []
    do seen.push(await next(one))
    while (one.failed({ kind: 'refused' }))
    expect(seen).toEqual(['openai', 'mistral m', 'openai#spare'])
    expect(pauses).toEqual([])
  })

  test('come after the retries, or at once where waiting does not help', async () => {
    const route = everything({ fallbacks, retries: { attempts: 1, max_pause_ms: 100 } })
    const seenWith = async (outcome: AttemptOutcome) => {
      const one = routingOf([route]).attempts()
      await next(one)
      one.failed(outcome)
      return next(one)
    }
    expect(await seenWith(answered(500))).toBe('openai')
    expect(await seenWith(answered(429, { final: true }))).toBe('mistral m')
    expect(await seenWith(answered(429, { retryAfterMs: 60_000 }))).toBe('mistral m')
  })

  test('are passed over without a key for them, and that is no second attempt', async () => {
    const { attempts } = routingOf([everything({ fallbacks })])
    const one = attempts({ repeatable: false })
    await next(one)
    expect(one.failed({ kind: 'skipped' })).toBe(true)
    expect(await next(one)).toBe('mistral m')
    expect(one.failed(OK)).toBe(false)
    expect(one.repeated).toBe(false)
  })
})

describe('weights', () => {
  test('are kept over 10,000 draws', async () => {
    const { attempts } = routingOf(
      [
        everything({
          targets: [
            { provider: 'openai', weight: 5 },
            { provider: 'mistral', weight: 3 },
            { provider: 'openrouter', weight: 2 },
          ],
        }),
      ],
      createTestTiming(seeded(42)),
    )
    const seen: Record<string, number> = {}
    for (let i = 0; i < 10_000; i++) {
      const name = (await next(attempts()))!
      seen[name] = (seen[name] ?? 0) + 1
    }
    // Four standard deviations.
    expect(Math.abs(seen.openai! - 5_000)).toBeLessThan(200)
    expect(Math.abs(seen.mistral! - 3_000)).toBeLessThan(184)
    expect(Math.abs(seen.openrouter! - 2_000)).toBeLessThan(160)
  })

  test('are of those targets that the user has a key for; then come the fallbacks', async () => {
    const route = everything({
      targets: [
        { provider: 'openai', key: 'one' },
        { provider: 'openai', key: 'two' },
      ],
      fallbacks: [{ provider: 'mistral' }],
    })
    const one = routingOf([route], createTestTiming(seeded(1))).attempts()
    const seen = []
    do seen.push(await next(one))
    while (one.failed({ kind: 'skipped' }))
    expect(seen.slice(0, 2).sort()).toEqual(['openai#one', 'openai#two'])
    expect(seen.slice(2)).toEqual(['mistral'])
  })
})

describe('a circuit that is open', () => {
  const breaker = { failures: 2, window_ms: 10_000, cool_down_ms: 5_000 }
  const broken = async (route: object, model?: string) => {
    const setting = routingOf([everything({ breaker, ...route })])
    for (const _ of [1, 2]) {
      const one = setting.attempts({ model })
      await next(one)
      one.failed({ kind: 'timeout' })
    }
    return setting
  }

  test('was not opened by those whose own time was up, which no other place is tried in', async () => {
    const { attempts } = routingOf([
      everything({ breaker: { ...breaker, failures: 1 }, fallbacks: [{ provider: 'mistral' }] }),
    ])
    const hasty = attempts()
    await next(hasty)
    expect(hasty.failed({ kind: 'late' })).toBe(false)
    expect(await next(attempts())).toBe('openai')
  })

  test('is 503 with Retry-After when there is nowhere else to go', async () => {
    const { attempts, pass } = await broken({})
    pass(1_200)
    await expect(next(attempts())).rejects.toMatchObject({
      ...{ code: 'unavailable', headers: { 'Retry-After': '4' } },
      message: 'Too many calls failed just now at openai; none is made for a while.',
    })
    pass(3_800)
    const probe = attempts()
    expect(await next(probe)).toBe('openai')
    await expect(next(attempts())).rejects.toMatchObject({ code: 'unavailable' })
    probe.failed(answered(404))
    expect(await next(attempts())).toBe('openai')
  })

  test('is gone around: another of the targets, else the fallbacks', async () => {
    const { attempts } = await broken({ fallbacks: [{ provider: 'mistral' }] })
    expect(await next(attempts())).toBe('mistral')
    const weighted = routingOf([
      everything({
        breaker: { ...breaker, failures: 1 },
        targets: [{ provider: 'openai' }, { provider: 'openrouter' }],
      }),
    ])
    const one = weighted.attempts()
    const shut = await next(one)
    one.failed(answered(500))
    const seen = await Promise.all([1, 2, 3].map(() => next(weighted.attempts())))
    expect(new Set(seen)).toEqual(new Set([shut === 'openai' ? 'openrouter' : 'openai']))
  })

  test('is one key of a provider, not the others', async () => {
    const { attempts } = routingOf([
      everything({
        breaker: { ...breaker, failures: 1 },
        targets: [{ provider: 'openai', key: 'one' }],
        fallbacks: [{ provider: 'openai', key: 'two' }],
      }),
    ])
    const one = attempts()
    await next(one)
    one.failed(answered(500))
    expect(await next(attempts())).toBe('openai#two')
  })

  test.each<[string, AttemptOutcome]>([
    ['no key for it', { kind: 'skipped' }],
    ["another user's key at its limit", answered(429)],
    ["the endpoint of a user's own key", { kind: 'refused', ownEndpoint: true }],
    ['a wrong key', answered(401)],
  ])('never comes of %s', async (_, outcome) => {
    const { attempts } = routingOf([everything({ breaker })])
    for (let i = 0; i < 10; i++) {
      const one = attempts()
      expect(await next(one)).toBe('openai')
      one.failed(outcome)
    }
  })

  test('gets its probe back when the client goes away before it is sent', async () => {
    const { attempts, pass } = routingOf([
      everything({ breaker: { ...breaker, failures: 1 }, fallbacks: [{ provider: 'mistral' }] }),
    ])
    const one = attempts()
    await next(one)
    one.failed(answered(500))
    const other = attempts()
    expect(await next(other)).toBe('mistral')
    other.failed(answered(500))
    pass(5_000)
    const gone = attempts()
    await next(gone)
    expect(gone.failed({ kind: 'skipped' })).toBe(true)
    await expect(next(gone, AbortSignal.abort())).rejects.toThrow()
    const after = attempts()
    expect(await next(after)).toBe('openai')
    expect(after.failed({ kind: 'broken' })).toBe(true)
    expect(await next(after)).toBe('mistral')
  })
})

test('a route without targets keeps a breaker for each provider', async () => {
  const { attempts } = routingOf([everything({ breaker: { failures: 1 } })])
  const one = attempts()
  await next(one)
  one.failed(answered(500))
  await expect(next(attempts())).rejects.toMatchObject({ code: 'unavailable' })
  expect(await next(attempts({ provider: provider('anthropic') }))).toBe('anthropic')
})
