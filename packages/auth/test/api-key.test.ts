import type { authService } from '@waybill/contracts'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { apiKeyChecksum } from '../src/api-key/format.ts'
import { createApiKeyVerifier } from '../src/api-key/verifier.ts'
import type { ApiKeyVerifier } from '../src/api-key/verifier.ts'
import { generateApiKey, isApiKey } from '../src/index.ts'
import { ISSUER, NOW } from './forge.ts'

const refused = expect.objectContaining({ code: 'invalid_token', status: 401 })

describe('an API key', () => {
  test('is wb_, 30 base62 digits and the CRC32 of those in 6, and no two are the same', () => {
    const keys = Array.from({ length: 100 }, generateApiKey)
    expect(new Set(keys).size).toBe(100)
    for (const key of keys) {
      expect(key).toMatch(/^wb_[0-9A-Za-z]{36}$/)
      expect(isApiKey(key)).toBe(true)
    }
  })

  test('has the checksum that anybody can work out', () => {
    // CRC32("123456789") is 0xCBF43926, by every table of CRCs.
    const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
    const value = Array.from(apiKeyChecksum('123456789')).reduce(
      (sum, digit) => sum * 62 + digits.indexOf(digit),
      0,
    )
    expect(value).toBe(0xcbf43926)
  })

  test('with any one character changed, or one too many or too few, is none', () => {
    const change = fc.tuple(fc.nat(38), fc.string({ unit: 'binary', maxLength: 2 }))
    fc.assert(
      fc.property(change, ([at, other]) => {
        const key = generateApiKey()
        const changed = key.slice(0, at) + other + key.slice(at + 1)
        expect(isApiKey(changed)).toBe(changed === key)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('the verifier of API keys', () => {
  const ACTIVE: authService.Introspection = {
    ...{ active: true, token_type: 'api_key', iss: ISSUER, sub: 'u1', principal: 'user', client_id: 'key1' },
    ...{
      scope: 'tasks.read memory.*',
      iat: NOW,
      exp: NOW + 3_600,
      role: 'user',
      tier: 'premium',
      key_id: 'key1',
    },
  }
  let now: number
  let asked: number
  let answer: () => Promise<authService.Introspection>
  let keys: ApiKeyVerifier
  const key = generateApiKey()

  beforeEach(() => {
    now = NOW * 1000
    asked = 0
    answer = () => Promise.resolve(ACTIVE)
    keys = createApiKeyVerifier({
      issuer: ISSUER,
      introspect: () => {
        asked += 1
        return answer()
      },
      ttlMs: 30_000,
      cacheSize: 10,
      now: () => now,
    })
  })

  test('makes of it the user whose key it is, with what the key allows', async () => {
    expect((await keys.verify(key)).principal).toEqual({
      kind: 'user',
      userId: 'u1',
      role: 'user',
      permissions: ['tasks.read', 'memory.*'],
      tier: 'premium',
      apiKeyId: 'key1',
      actors: [],
      via: 'api-key',
    })
    expect((await keys.verify(key)).credential?.type).toBe('api-key')
    expect((await keys.verify(key)).credential?.secret.reveal()).toBe(key)
  })

  test('asks nobody about what cannot be one', async () => {
    for (const bad of ['', 'wb_x', `${key}0`, key.toLowerCase(), `wb_${'0'.repeat(36)}`, ` ${key}`])
      await expect(keys.verify(bad)).rejects.toEqual(refused)
    expect(asked).toBe(0)
  })

  test('asks once for all who wait, and again after a while', async () => {
    await Promise.all(Array.from({ length: 20 }, () => keys.verify(key)))
    await keys.verify(key)
    expect(asked).toBe(1)
    now += 30_000
    await keys.verify(key)
    expect(asked).toBe(2)
  })

  test('believes none beyond its expiry', async () => {
    answer = () => Promise.resolve({ ...ACTIVE, exp: NOW + 10 })
    await keys.verify(key)
    now += 10_000
    await expect(keys.verify(key)).rejects.toEqual(refused)
  })

  test.each<[string, object]>([
    ['is inactive', { active: false }],
    ['is an access token', { ...ACTIVE, token_type: 'access_token' }],
    ['is a refresh token', { ...ACTIVE, token_type: 'refresh_token' }],
    ['belongs to a service', { ...ACTIVE, principal: 'service' }],
    ['is of another issuer', { ...ACTIVE, iss: 'https://other.test' }],
    ['has no id', { ...ACTIVE, key_id: undefined }],
    ['has expired', { ...ACTIVE, exp: NOW }],
  ])('refuses what %s, and remembers that for a short while only', async (_name, told) => {
    answer = () => Promise.resolve(told as authService.Introspection)
    await expect(keys.verify(key)).rejects.toEqual(refused)
    await expect(keys.verify(key)).rejects.toEqual(refused)
    expect(asked).toBe(1)
    answer = () => Promise.resolve(ACTIVE)
    now += 5_000
    expect((await keys.verify(key)).principal).toMatchObject({ userId: 'u1' })
  })

  test('a flood of invented keys pushes out no good one', async () => {
    await keys.verify(key)
    answer = () => Promise.resolve({ active: false })
    for (let at = 0; at < 100; at += 1) await expect(keys.verify(generateApiKey())).rejects.toEqual(refused)
    expect(asked).toBe(101)
    await keys.verify(key)
    expect(asked).toBe(101)
  })

  test('a flood that arrives at once is answered 503 where the issuer cannot keep up', async () => {
    const waiting = Promise.withResolvers<authService.Introspection>()
    answer = () => waiting.promise
    const flood = Array.from({ length: 100 }, () => keys.verify(generateApiKey()))
    const settled = Promise.allSettled(flood)
    waiting.resolve({ active: false })
    const codes = (await settled).map((result) => (result as { reason: { code: string } }).reason.code)
    expect(asked).toBe(64)
    expect(codes.filter((code) => code === 'unavailable')).toHaveLength(36)
  })

  test('an issuer that cannot be asked is told as such, and asked again', async () => {
    answer = () => Promise.reject(new Error('down'))
    await expect(keys.verify(key)).rejects.toThrow('down')
    answer = () => Promise.resolve(ACTIVE)
    expect((await keys.verify(key)).principal).toMatchObject({ userId: 'u1' })
  })

  test.each([
    [{ kind: 'api_key', id: 'key1' } as const, 2],
    [{ kind: 'user', id: 'u1' } as const, 2],
    [{ kind: 'api_key_changed', id: 'key1' } as const, 2],
    [{ kind: 'api_key', id: 'key2' } as const, 1],
    [{ kind: 'user', id: 'u2' } as const, 1],
    [{ kind: 'session', id: 'key1' } as const, 1],
  ])('asks again after a revocation of %j: %s questions', async (revocation, questions) => {
    await keys.verify(key)
    keys.forget(revocation)
    await keys.verify(key)
    expect(asked).toBe(questions)
  })

  test('a key that was rotated lives to its new end, whatever was remembered of it', async () => {
    await keys.verify(key)
    answer = () => Promise.resolve({ ...ACTIVE, exp: NOW + 5 })
    keys.forget({ kind: 'api_key_changed', id: 'key1' })
    expect((await keys.verify(key)).principal).toMatchObject({ apiKeyId: 'key1' })
    answer = () => Promise.resolve({ active: false })
    now += 5_000
    await expect(keys.verify(key)).rejects.toEqual(refused)
  })

  test('an answer from before a revocation is not kept after it', async () => {
    const waiting = Promise.withResolvers<authService.Introspection>()
    answer = () => waiting.promise
    const verified = keys.verify(key)
    keys.forget({ kind: 'api_key', id: 'key1' })
    waiting.resolve(ACTIVE)
    await verified
    answer = () => Promise.resolve({ active: false })
    await expect(keys.verify(key)).rejects.toEqual(refused)
  })

  test('whoever comes after a revocation is not answered with what was asked before it', async () => {
    const waiting = Promise.withResolvers<authService.Introspection>()
    answer = () => waiting.promise
    const before = keys.verify(key)
    keys.forget({ kind: 'api_key', id: 'key1' })
    answer = () => Promise.resolve({ active: false })
    const after = keys.verify(key)
    waiting.resolve(ACTIVE)
    expect((await before).principal).toMatchObject({ userId: 'u1' })
    await expect(after).rejects.toEqual(refused)
  })
})
