import { generateKeyPairSync } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { createJwks } from '../src/index.ts'
import { publicJwk } from './forge.ts'

const COOLDOWN_MS = 30_000
const MAX_AGE_MS = 60_000
const MAX_STALE_MS = 86_400_000

/** An issuer that answers as told, and counts how often it was asked. */
class Issuer {
  fetches = 0
  now = 0
  answer: () => Promise<unknown> = () => Promise.resolve({ keys: [] })
  readonly keys = createJwks(
    () => {
      this.fetches += 1
      return this.answer()
    },
    { cooldownMs: COOLDOWN_MS, maxAgeMs: MAX_AGE_MS, maxStaleMs: MAX_STALE_MS, now: () => this.now },
  )
}

let issuer: Issuer
const publish = async (...kids: string[]): Promise<void> => {
  const keys = await Promise.all(kids.map((kid) => publicJwk(kid)))
  issuer.answer = () => Promise.resolve({ keys })
}
const breakDown = (): void => {
  issuer.answer = () => Promise.reject(new Error('connection refused'))
}
/** Lets what was started in the background come to its end. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

beforeEach(() => {
  issuer = new Issuer()
})

describe('the keys of an issuer', () => {
  test('are fetched when they are first needed, once for all who wait', async () => {
    await publish('k1')
    expect(issuer.fetches).toBe(0)
    const found = await Promise.all(Array.from({ length: 50 }, () => issuer.keys.find('k1')))
    expect(found.every((key) => key?.kid === 'k1' && key.alg === 'ES256')).toBe(true)
    expect(issuer.fetches).toBe(1)
  })

  test('a flood of unknown ids makes one fetch per cool-down', async () => {
    await publish('k1')
    await issuer.keys.find('k1')
    issuer.now += COOLDOWN_MS
    const ids = Array.from({ length: 200 }, (_, at) => `unknown-${String(at)}`)
    expect(await Promise.all(ids.map((id) => issuer.keys.find(id)))).toEqual(ids.map(() => undefined))
    for (const id of ids) await issuer.keys.find(id)
    expect(issuer.fetches).toBe(2)
    issuer.now += COOLDOWN_MS - 1
    await issuer.keys.find('unknown')
    expect(issuer.fetches).toBe(2)
    issuer.now += 1
    await issuer.keys.find('unknown')
    expect(issuer.fetches).toBe(3)
  })

  test('and fetches that fail count: an issuer that is down is not hammered', async () => {
    await publish('k1')
    await issuer.keys.find('k1')
    breakDown()
    issuer.now += COOLDOWN_MS
    for (let at = 0; at < 200; at += 1) await issuer.keys.find(`unknown-${String(at)}`)
    expect(issuer.fetches).toBe(2)
  })

  test('known ones are served while the issuer is down, for a day', async () => {
    await publish('k1')
    await issuer.keys.find('k1')
    breakDown()
    issuer.now += MAX_AGE_MS + MAX_STALE_MS
    for (let at = 0; at < 20; at += 1) {
      expect(await issuer.keys.find('k1')).toMatchObject({ kid: 'k1' })
      await settle()
    }
    expect(issuer.fetches).toBe(2)
    issuer.now += 1
    await expect(issuer.keys.find('k1')).rejects.toMatchObject({ code: 'unavailable' })
    await publish('k1')
    issuer.now += COOLDOWN_MS
    expect(await issuer.keys.find('k1')).toMatchObject({ kid: 'k1' })
  })

  test('a key that is taken back is gone with the next fetch, for tokens verified before too', async () => {
    await publish('k1', 'k2')
    await issuer.keys.find('k1')
    expect(issuer.keys.holds?.('k1')).toBe(true)
    await publish('k2')
    issuer.now += MAX_AGE_MS + 1
    expect(issuer.keys.holds?.('k1')).toBe(true)
    await settle()
    await settle()
    expect(issuer.keys.holds?.('k1')).toBe(false)
    expect(await issuer.keys.find('k1')).toBeUndefined()
    expect(await issuer.keys.find('k2')).toMatchObject({ kid: 'k2' })
  })

  test('a key published longer than the greatest age before its use is known by then, whoever floods', async () => {
    await publish('k1')
    await issuer.keys.find('k1')
    await publish('k1', 'k2')
    for (let ms = 0; ms <= MAX_AGE_MS; ms += 1_000) {
      issuer.now += 1_000
      // A flood of unknown ids uses up every cool-down; none of its fetches can hide the new key.
      await issuer.keys.find('unknown')
      await issuer.keys.find('k1')
    }
    const { fetches } = issuer
    expect(await issuer.keys.find('k2')).toMatchObject({ kid: 'k2' })
    expect(issuer.fetches).toBe(fetches)
  })

  test('a rotated key is found at once, and known ones are refreshed without anybody waiting', async () => {
    await publish('k1')
    await issuer.keys.find('k1')
    await publish('k1', 'k2')
    issuer.now += COOLDOWN_MS
    expect(await issuer.keys.find('k2')).toMatchObject({ kid: 'k2' })
    await publish('k2')
    issuer.now += MAX_AGE_MS + 1
    expect(await issuer.keys.find('k1')).toMatchObject({ kid: 'k1' })
    await settle()
    await settle()
    expect(await issuer.keys.find('k1')).toBeUndefined()
  })

  test('never fetched at all are 503 with Retry-After, tried again soon but not at every request', async () => {
    breakDown()
    const refused = expect.objectContaining({
      code: 'unavailable',
      status: 503,
      headers: { 'Retry-After': '1' },
    })
    for (let at = 0; at < 20; at += 1) await expect(issuer.keys.find('k1')).rejects.toEqual(refused)
    expect(issuer.fetches).toBe(1)
    await publish('k1')
    issuer.now += 500
    expect(await issuer.keys.find('k1')).toMatchObject({ kid: 'k1' })
  })

  test.each([
    ['text', 'no keys here'],
    ['nothing', undefined],
    ['a set without keys', {}],
    ['keys that are none', { keys: ['k1'] }],
    ['an empty set', { keys: [] }],
    ['a set of keys that cannot be used', { keys: [{ kty: 'EC', kid: 'odd', alg: 'ES256' }] }],
    ['a set of secrets', { keys: [{ kty: 'oct', kid: 'odd', alg: 'HS256', k: 'A'.repeat(43) }] }],
  ])('an issuer that answers %s does not take away the keys that are known', async (_name, document) => {
    await publish('k1')
    await issuer.keys.find('k1')
    issuer.answer = () => Promise.resolve(document)
    issuer.now += MAX_AGE_MS + 1
    expect(await issuer.keys.find('unknown')).toBeUndefined()
    expect(await issuer.keys.find('k1')).toMatchObject({ kid: 'k1' })
    // It counts as a fetch that failed: the keys are still too old, and asked for again after the cool-down.
    const { fetches } = issuer
    issuer.now += COOLDOWN_MS
    await issuer.keys.find('k1')
    await settle()
    expect(issuer.fetches).toBe(fetches + 1)
  })
})

describe('what does not fit in a key set is passed over (RFC 7517 section 5)', () => {
  const { publicKey: weak, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })

  test.each<[string, (good: object) => object]>([
    ['a key for encryption', (good) => ({ ...good, use: 'enc' })],
    ['a key without alg', (good) => ({ ...good, alg: undefined })],
    ['a key without kid', (good) => ({ ...good, kid: undefined })],
    ['a public key said to be for HS256', (good) => ({ ...good, alg: 'HS256' })],
    ['a key said to be for none', (good) => ({ ...good, alg: 'none' })],
    ['a key of a type nobody knows', (good) => ({ ...good, kty: 'AKP', alg: 'ML-DSA-44' })],
    ['a type that every object has', (good) => ({ ...good, kty: 'constructor' })],
    ['a point that is not on the curve', (good) => ({ ...good, x: 'AAAA' })],
    [
      'a curve that does not belong to the algorithm',
      () => ({ ...weak.export({ format: 'jwk' }), alg: 'ES256' }),
    ],
    ['a private key', () => ({ ...privateKey.export({ format: 'jwk' }), alg: 'ES384' })],
    ['a kid that is no string', (good) => ({ ...good, kid: 7 })],
  ])('%s', async (_name, spoil) => {
    const good = await publicJwk('k1')
    const odd = { kid: 'odd', ...spoil({ ...good, kid: 'odd' }) }
    issuer.answer = () => Promise.resolve({ keys: [odd, good] })
    expect(await issuer.keys.find('k1')).toMatchObject({ kid: 'k1' })
    expect(await issuer.keys.find('odd')).toBeUndefined()
  })
})
