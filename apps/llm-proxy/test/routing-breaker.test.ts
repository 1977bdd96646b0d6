import { describe, expect, test } from 'vitest'
import { createBreaker } from '../src/routing/breaker.ts'
import type { Permit } from '../src/routing/breaker.ts'
import { seeded } from './routing-setting.ts'

const OPTIONS = { failures: 3, window_ms: 1_000, cool_down_ms: 500 }

function brokenAt(now: number) {
  const breaker = createBreaker(OPTIONS)
  for (let i = 0; i < OPTIONS.failures; i++) breaker.leave(breaker.enter(now)!, 'failure', now)
  return breaker
}

describe('a circuit breaker', () => {
  test('opens at the last failure in a row, and says for how long', () => {
    const breaker = createBreaker(OPTIONS)
    for (const now of [0, 10]) breaker.leave(breaker.enter(now)!, 'failure', now)
    expect(breaker.blockedForMs(10)).toBe(0)
    breaker.leave(breaker.enter(20)!, 'failure', 20)
    expect(breaker.enter(20)).toBeUndefined()
    expect(breaker.blockedForMs(120)).toBe(400)
  })

  test('stays closed when anybody succeeds in between, or when the failures are too far apart', () => {
    const between = createBreaker(OPTIONS)
    for (const result of ['failure', 'failure', 'success', 'failure', 'failure'] as const) {
      between.leave(between.enter(0)!, result, 0)
    }
    expect(between.enter(0)).toBeDefined()
    const apart = createBreaker(OPTIONS)
    for (const now of [0, 500, 1_000, 1_500]) apart.leave(apart.enter(now)!, 'failure', now)
    expect(apart.enter(1_500)).toBeDefined()
  })

  test('lets exactly one probe through after the cool-down; its success closes the circuit', () => {
    const breaker = brokenAt(0)
    expect(breaker.enter(499)).toBeUndefined()
    const probe = breaker.enter(500)!
    expect(probe.probe).toBe(true)
    expect(Array.from({ length: 50 }, () => breaker.enter(500)).filter(Boolean)).toEqual([])
    breaker.leave(probe, 'success', 510)
    expect([breaker.enter(510), breaker.enter(510)]).toEqual([{ probe: false }, { probe: false }])
  })

  test('stays open for another cool-down when the probe fails', () => {
    const breaker = brokenAt(0)
    breaker.leave(breaker.enter(500)!, 'failure', 600)
    expect(breaker.enter(1_099)).toBeUndefined()
    expect(breaker.enter(1_100)).toEqual({ probe: true })
  })

  test('gives the place of a probe that says nothing to the next one', () => {
    const breaker = brokenAt(0)
    breaker.leave(breaker.enter(500)!, 'nothing', 510)
    expect(breaker.enter(510)).toEqual({ probe: true })
    expect(breaker.enter(510)).toBeUndefined()
  })

  test('gives the place of a probe that is never heard of again to another after a cool-down', () => {
    const breaker = brokenAt(0)
    const lost = breaker.enter(500)!
    expect(breaker.enter(999)).toBeUndefined()
    const second = breaker.enter(1_000)!
    breaker.leave(lost, 'nothing', 1_001)
    expect(breaker.enter(1_001)).toBeUndefined()
    breaker.leave(second, 'success', 1_002)
    expect(breaker.enter(1_002)).toEqual({ probe: false })
  })

  test('does not let answers to what was sent before it opened decide', () => {
    const breaker = createBreaker(OPTIONS)
    const slow = breaker.enter(0)!
    for (let i = 0; i < OPTIONS.failures; i++) breaker.leave(breaker.enter(0)!, 'failure', 0)
    breaker.leave(slow, 'success', 10)
    expect(breaker.enter(10)).toBeUndefined()
  })

  test('never has two probes out within a cool-down, and never stays shut, whatever happens', () => {
    const random = seeded(7)
    const breaker = createBreaker(OPTIONS)
    const out: Permit[] = []
    let now = 0
    let probe: { permit: Permit; since: number } | undefined
    let probes = 0
    for (let step = 0; step < 20_000; step++) {
      now += Math.floor(random() * 200)
      const permit = breaker.enter(now)
      if (permit) out.push(permit)
      if (permit?.probe) {
        expect(probe === undefined || now - probe.since >= OPTIONS.cool_down_ms).toBe(true)
        probe = { permit, since: now }
        probes += 1
      }
      expect(breaker.blockedForMs(now)).toBeLessThanOrEqual(OPTIONS.cool_down_ms)
      if (random() < 0.5 && out.length > 0) {
        const [done] = out.splice(Math.floor(random() * out.length), 1)
        const chance = random()
        breaker.leave(done!, chance < 0.75 ? 'failure' : chance < 0.9 ? 'success' : 'nothing', now)
        if (probe?.permit === done) probe = undefined
      }
      // What is forgotten is never reported.
      if (out.length > 5) out.shift()
    }
    expect(probes).toBeGreaterThan(100)
    now += OPTIONS.cool_down_ms
    expect(breaker.enter(now)).toBeDefined()
  })
})
