import { inspect } from 'node:util'
import { ConfigError, loadConfig, Problem, Secret } from '@waybill/service-kit'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { keysEnv } from '../src/keys/config.ts'
import { cipherOf, newKey, randomKek, userOf } from './keys-setting.ts'

const alice = userOf('alice')
const kek = randomKek()
const cipher = cipherOf(`v1:${kek}`)
const SECRET = 'sk-canary-5f2d'
const row = newKey(cipher, alice, { secret: SECRET, baseUrl: 'https://llm.example.com' })

/** What the attempt to open throws: which key it is, and in its cause why. Neither holds any of the key. */
function refusalOf(changed: Partial<typeof row>, by = cipher): string {
  try {
    by.open({ ...row, ...changed })
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    const all = inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error)
    expect(all).not.toMatch(/canary|sk-/)
    expect(all).not.toContain(kek)
    expect(error).toMatchObject({
      ...{ status: 503, headers: { 'x-should-retry': 'false' } },
      extensions: { reason: 'provider_key_unreadable' },
    })
    expect(error.message).toContain(changed.id ?? row.id)
    expect(error.message).not.toMatch(/v1|KEY_ENCRYPTION/)
    return error.cause instanceof Error ? error.cause.message : 'no cause'
  }
  return 'it opened'
}

test('what was sealed opens, and never looks the same twice', () => {
  expect(cipher.open(row).reveal()).toBe(SECRET)
  const again = cipher.seal(row, new Secret(SECRET))
  expect(again.sealed.equals(row.sealed)).toBe(false)
  expect(again.sealed.subarray(0, 12).equals(row.sealed.subarray(0, 12)), 'the nonce').toBe(false)
  expect(row.sealed.length, 'nonce, tag and text').toBe(12 + 16 + SECRET.length)
  expect(row.sealed.includes('canary')).toBe(false)
})

test.each([
  ['another user', { userId: 'bob' }],
  ['another provider', { provider: 'anthropic' }],
  ['another id', { id: '00000000-0000-4000-8000-000000000000' }],
  ['another place', { baseUrl: 'https://thief.example.com' }],
  ['no place', { baseUrl: null }],
])('a row that says %s does not open', (_what, change) => {
  expect(refusalOf(change)).toContain('the row was copied or changed')
})

test('fields that run into each other are not mistaken for others', () => {
  const a = { id: row.id, userId: 'a', provider: 'b","c', baseUrl: null }
  const sealed = cipher.seal(a, new Secret(SECRET))
  expect(() => cipher.open({ ...a, ...sealed, userId: 'a","b', provider: 'c' })).toThrow(Problem)
})

test('with any bit changed, cut or added it does not open', () => {
  for (let at = 0; at < row.sealed.length * 8; at += 1) {
    const sealed = Buffer.from(row.sealed)
    sealed[at >> 3] = (sealed[at >> 3] ?? 0) ^ (1 << (at & 7))
    expect(refusalOf({ sealed })).not.toBe('it opened')
  }
  for (const length of [0, 11, 12, 27, 28, row.sealed.length - 1])
    expect(refusalOf({ sealed: row.sealed.subarray(0, length) })).not.toBe('it opened')
  expect(refusalOf({ sealed: Buffer.concat([row.sealed, Buffer.alloc(1)]) })).not.toBe('it opened')
})

test('a version that is not configured is named, and so is one that is another key now', () => {
  expect(refusalOf({}, cipherOf(`v2:${randomKek()}`))).toContain(
    'sealed under v1, which is not among PROVIDER_KEY',
  )
  expect(refusalOf({}, cipherOf(`v1:${randomKek()}`))).toContain('or v1 is another key now')
  // The name of the version is bound too: under another one, the same key does not open it.
  expect(refusalOf({ kek: 'v2' }, cipherOf(`v2:${kek}`))).not.toBe('it opened')
})

test('the first version seals and all of them open', () => {
  const both = cipherOf(`v2:${randomKek()},v1:${kek}`)
  expect(both.open(row).reveal()).toBe(SECRET)
  expect([both.isCurrent(row), cipher.isCurrent(row)]).toEqual([false, true])
  const anew = both.seal(row, new Secret(SECRET))
  expect(anew.kek).toBe('v2')
  expect(both.open({ ...row, ...anew }).reveal()).toBe(SECRET)
})

const bytes = (make: (index: number) => number) => Buffer.from(Array.from({ length: 32 }, (_, at) => make(at))).toString('base64') // prettier-ignore

test.each([
  ['nothing', undefined],
  ['a key without a version', kek],
  ['no key', 'v1:                  '],
  ['a key that is short', `v1:${Buffer.alloc(16, 7).toString('base64')}`],
  [
    'a key that is long',
    `v1:${Buffer.concat([Buffer.from(kek, 'base64'), Buffer.alloc(1)]).toString('base64')}`,
  ],
  ['base64 that is none', `v1:${kek.slice(0, -2)}!=`],
  ['zeros', `v1:${bytes(() => 0)}`],
  ['one byte over and over', `v1:${bytes(() => 0xa5)}`],
  ['bytes that count', `v1:${bytes((at) => at)}`],
  ['bytes that count backwards', `v1:${bytes((at) => 255 - at)}`],
  ['text that somebody typed', `v1:${Buffer.from('correct horse battery staple 123').toString('base64')}`],
  ['a version twice', `v1:${kek},v1:${randomKek()}`],
  ['a key twice', `v2:${kek},v1:${kek}`],
  ['a version of strange letters', `v 1:${kek}`],
  ['something after the last comma', `v1:${kek},`],
])('PROVIDER_KEY_ENCRYPTION_KEYS with %s does not start, and is not quoted', (_what, variable) => {
  const schema = z.object({ PROVIDER_KEY_ENCRYPTION_KEYS: keysEnv.PROVIDER_KEY_ENCRYPTION_KEYS })
  const loadIn = (NODE_ENV: string) => () =>
    loadConfig(schema, { NODE_ENV, PROVIDER_KEY_ENCRYPTION_KEYS: variable })
  for (const load of [loadIn('production'), loadIn('development')]) {
    expect(load).toThrow(ConfigError)
    expect(load).toThrow(/PROVIDER_KEY_ENCRYPTION_KEYS/)
    if (variable !== undefined) expect(load).not.toThrow(variable.slice(3, 20))
  }
})
