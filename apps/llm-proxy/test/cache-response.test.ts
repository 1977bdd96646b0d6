import { loadConfig } from '@waybill/service-kit'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { cacheEnv } from '../src/cache/config.ts'
import { createResponseCache } from '../src/cache/response-cache.ts'
import type { CacheKeyParts } from '../src/cache/response-cache.ts'
import { seeded } from './routing-setting.ts'

function cacheWith(environment: Record<string, string> = {}) {
  let now = 1_000
  const config = loadConfig(z.object(cacheEnv), { RESPONSE_CACHE: 'on', ...environment })
  return { cache: createResponseCache(config, { now: () => now }), pass: (ms: number) => void (now += ms) }
}

const request: CacheKeyParts = {
  userId: 'alice',
  provider: 'openai',
  key: 'k1 1',
  operation: 'chat',
  method: 'POST',
  path: '/v1/chat/completions',
  headers: { 'openai-beta': 'x' },
  body: Buffer.from('{"model":"gpt","messages":[]}'),
}
const answer = (bytes = 2, status = 200) => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: Buffer.alloc(bytes, '{'),
})

describe('the cache of answers', () => {
  test('is off unless configured', () => {
    const config = loadConfig(z.object(cacheEnv), {})
    expect(createResponseCache(config).keyOf(request)).toBeUndefined()
  })

  test('gives the same answer to the same request, whatever the order and the case of its headers', () => {
    const { cache } = cacheWith()
    cache.set(cache.keyOf({ ...request, headers: { A: '1', b: '2' } })!, answer())
    expect(cache.get(cache.keyOf({ ...request, headers: { b: '2', a: '1' } })!)).toEqual(answer())
    const repeated = { b: '2', a: '1', 'x-stainless-retry-count': '1', 'user-agent': 'x' }
    expect(cache.get(cache.keyOf({ ...request, headers: repeated })!)).toEqual(answer())
  })

  test.each<[keyof CacheKeyParts, unknown]>([
    ['userId', 'bob'],
    ['provider', 'mistral'],
    ['key', 'k1 2'],
    ['operation', 'embeddings'],
    ['path', '/v1/chat/completions?a=1'],
    ['headers', { 'openai-beta': 'y' }],
    ['headers', {}],
    ['body', Buffer.from('{"model":"gpt","messages": []}')],
  ])('gives none to another %s', (part, value) => {
    const { cache } = cacheWith()
    cache.set(cache.keyOf(request)!, answer())
    expect(cache.get(cache.keyOf({ ...request, [part]: value })!)).toBeUndefined()
  })

  test('never takes one user, key or header for another, however their parts are cut', () => {
    const { cache } = cacheWith()
    const random = seeded(3)
    // Few letters, and those that a separator could be, so that what is joined is often the same.
    const text = () =>
      Array.from({ length: Math.floor(random() * 4) }, () => 'ab:\0\n8'[Math.floor(random() * 6)]).join('')
    const seen = new Map<string, string>()
    for (let i = 0; i < 20_000; i++) {
      const parts = {
        ...request,
        ...{ userId: text(), provider: text(), key: text(), path: text(), body: Buffer.from(text()) },
        headers: Object.fromEntries(Array.from({ length: Math.floor(random() * 3) }, () => [text(), text()])),
      }
      const identity = JSON.stringify([
        ...[parts.userId, parts.provider, parts.key, parts.path, parts.body.toString()],
        Object.entries(parts.headers).sort(([a], [b]) => (a < b ? -1 : 1)),
      ])
      const { digest } = cache.keyOf(parts)!
      expect(seen.get(digest) ?? identity).toBe(identity)
      seen.set(digest, identity)
    }
    expect(seen.size).toBeGreaterThan(10_000)
  })

  test.each<[string, Partial<CacheKeyParts>]>([
    ['no POST', { method: 'GET' }],
    ['what no model answers', { operation: 'other' }],
    ['a client that wants nothing kept', { cacheControl: 'max-age=5, No-Store' }],
  ])('has no place for %s', (_, more) => {
    expect(cacheWith().cache.keyOf({ ...request, ...more })).toBeUndefined()
  })

  test.each(['no-cache', 'No-Cache , x', 'max-age=0'])(
    'asks anew for a client that says %s, and keeps what comes',
    (cacheControl) => {
      const { cache } = cacheWith()
      cache.set(cache.keyOf(request)!, answer(2))
      const fresh = cache.keyOf({ ...request, cacheControl })!
      expect(cache.get(fresh)).toBeUndefined()
      cache.set(fresh, answer(3))
      expect(cache.get(cache.keyOf(request)!)).toEqual(answer(3))
    },
  )

  test('keeps an answer for RESPONSE_CACHE_TTL_SECONDS', () => {
    const { cache, pass } = cacheWith({ RESPONSE_CACHE_TTL_SECONDS: '60' })
    const key = cache.keyOf(request)!
    cache.set(key, answer())
    pass(59_000)
    expect(cache.get(key)).toBeDefined()
    pass(1_001)
    expect(cache.get(key)).toBeUndefined()
  })

  test('keeps nothing but 200', () => {
    const { cache } = cacheWith()
    const key = cache.keyOf(request)!
    for (const status of [201, 206, 400, 429, 500]) cache.set(key, answer(2, status))
    expect(cache.get(key)).toBeUndefined()
  })

  test('is bounded in bytes, of one answer and of all; those not used for longest go first', () => {
    const { cache } = cacheWith({ RESPONSE_CACHE_MAX_BYTES: '10000', RESPONSE_CACHE_MAX_ENTRY_BYTES: '4000' })
    const keyOf = (userId: string) => cache.keyOf({ ...request, userId })!
    const kept = () => ['a', 'b', 'c', 'd'].filter((userId) => cache.get(keyOf(userId)))
    cache.set(keyOf('a'), answer(4_000))
    expect(kept()).toEqual([])
    for (const userId of ['a', 'b', 'c']) cache.set(keyOf(userId), answer(2_500))
    expect(kept()).toEqual(['a', 'b', 'c'])
    cache.get(keyOf('a'))
    cache.set(keyOf('d'), answer(2_500))
    expect(kept()).toEqual(['a', 'c', 'd'])
  })
})
