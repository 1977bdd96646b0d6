import { inspect } from 'node:util'
import type { UserPrincipal } from '@waybill/service-kit'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { createKeyRing } from '../src/keys/key-ring.ts'
import type { CachedKeyRing } from '../src/keys/key-ring.ts'
import type { KeyStore, StoredKey } from '../src/keys/key-store.ts'
import { createPostgresKeyStore } from '../src/keys/store-postgres.ts'
import { addKey, cipherOf, entryOf, randomKek, startKeysDatabase, userOf } from './keys-setting.ts'
import type { KeyOptions, KeysDatabase } from './keys-setting.ts'

let at: KeysDatabase
let kept: KeyStore
/** Whose rows were read from the store. */
let read: string[] = []
/** Every array of rows that the store gave out: what the ring may hold on to. */
let given: StoredKey[][] = []
let broken = false
let ring: CachedKeyRing

const alice = userOf('alice')
const bob = userOf('bob')
const cipher = cipherOf(`v1:${randomKek()}`)
const store = {
  async list(principal: UserPrincipal) {
    read.push(principal.userId)
    if (broken) throw new Error('the store is away')
    const rows = await kept.list(principal)
    given.push(rows)
    return rows
  },
}
const ringOf = (cacheMs: number, maxUsers = 100) => createKeyRing({ store, cipher, cacheMs, maxUsers })
const add = (user: UserPrincipal, options: KeyOptions) => addKey(kept, cipher, user, options)
const secretOf = async (user: UserPrincipal, provider = 'openai', key?: string) =>
  (await ring.open(user, provider, key)).secret.reveal()
const MISSING = { code: 'forbidden', extensions: { reason: 'provider_key_missing' } }

beforeAll(async () => {
  at = await startKeysDatabase()
  kept = createPostgresKeyStore(at.database)
})
afterAll(() => at.close())
beforeEach(async () => {
  vi.useRealTimers()
  await at.admin('delete from provider_keys')
  ring = ringOf(60_000)
  read = []
  given = []
  broken = false
})

test('the default key of the provider is opened, or the one that is named, by name or id', async () => {
  await add(alice, { secret: 'alice-openai-one' })
  const second = await add(alice, { secret: 'alice-openai-two', name: 'spare' })
  await add(alice, { secret: 'alice-anthropic', name: 'spare', provider: 'anthropic' })
  expect(await secretOf(alice)).toBe('alice-openai-one')
  expect(await secretOf(alice, 'openai', 'spare')).toBe('alice-openai-two')
  expect(await secretOf(alice, 'openai', second.id)).toBe('alice-openai-two')
  expect(await secretOf(alice, 'anthropic')).toBe('alice-anthropic')
  await expect(ring.open(alice, 'anthropic', second.id), "another provider's").rejects.toMatchObject(MISSING)
  expect((await ring.providersOf(alice)).toSorted()).toEqual(['anthropic', 'openai'])
})

test('without a key it is 403 provider_key_missing, which repeats nothing of what was asked for', async () => {
  await expect(ring.open(bob, 'openai')).rejects.toThrow('POST /keys')
  await expect(ring.open(bob, 'openai')).rejects.toMatchObject(MISSING)
  const asked = ring.open(bob, 'openai', 'sk-put-here-by-mistake')
  await expect(asked).rejects.toMatchObject(MISSING)
  await expect(asked).rejects.not.toThrow('mistake')
  await add(bob, { isDefault: false })
  ring.forget('bob')
  await expect(ring.open(bob, 'openai')).rejects.toThrow('None of your keys for openai is the default')
})

test('50 requests of two users at once: each gets its own key, and the store is asked once for each', async () => {
  await add(alice, { secret: 'the key of alice' })
  await add(bob, { secret: 'the key of bob' })
  const users = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? alice : bob))
  for (const round of [1, 2, 3]) {
    ring.forget('alice')
    const secrets = await Promise.all(users.map((user) => secretOf(user)))
    expect(secrets).toEqual(users.map(({ userId }) => `the key of ${userId}`))
    expect(read.length, 'one reading for each user who was not known').toBe(1 + round)
  }
  const uncached = ringOf(0)
  const opened = await Promise.all(users.map((user) => uncached.open(user, 'openai')))
  expect(opened.map(({ secret }) => secret.reveal())).toEqual(
    users.map(({ userId }) => `the key of ${userId}`),
  )
})

test('what is kept between requests is sealed, and what is opened is not kept', async () => {
  await add(alice, { secret: 'canary-of-alice' })
  const first = await ring.open(alice, 'openai')
  const second = await ring.open(alice, 'openai')
  expect(read).toEqual(['alice'])
  expect(first.secret).not.toBe(second.secret)
  expect(inspect([ring, given, first, second], { depth: 20, showHidden: true })).not.toContain('canary')
  expect(given.flat().some(({ sealed }) => sealed.includes('canary'))).toBe(false)
})

test('rows are kept for as long as may be, and no longer', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  ring = ringOf(30_000)
  const { id } = await add(alice, {})
  await ring.open(alice, 'openai')
  // Another instance deletes it.
  await kept.remove(alice, id, entryOf(alice, 'delete', id))
  vi.advanceTimersByTime(29_000)
  await ring.open(alice, 'openai')
  vi.advanceTimersByTime(2_000)
  await expect(ring.open(alice, 'openai')).rejects.toMatchObject(MISSING)
})

test('a change of this process counts at once, also for a reading that is under way', async () => {
  const { id } = await add(alice, {})
  const underWay = ring.open(alice, 'openai')
  await kept.remove(alice, id, entryOf(alice, 'delete', id))
  ring.forget('alice')
  await underWay.catch(() => undefined)
  await expect(ring.open(alice, 'openai')).rejects.toMatchObject(MISSING)
})

test('a key that another instance has just added is found, without asking the store at each call for none', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  ring = ringOf(60_000)
  for (let call = 0; call < 5; call += 1) await ring.open(alice, 'openai').catch(() => undefined)
  expect(read).toHaveLength(1)
  await add(alice, {})
  vi.advanceTimersByTime(1_001)
  await ring.open(alice, 'openai')
  expect(read).toHaveLength(2)
})

test('a failure is told to who waited for it, and is not kept', async () => {
  await add(alice, { secret: 'the key of alice' })
  broken = true
  const waiting = [ring.open(alice, 'openai'), ring.open(alice, 'openai')]
  expect((await Promise.allSettled(waiting)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  broken = false
  expect(await secretOf(alice)).toBe('the key of alice')
})

test('who shares a reading that fails because its request was given up reads for himself', async () => {
  await add(alice, { secret: 'the key of alice' })
  broken = true
  const givenUp = ring.open(alice, 'openai')
  broken = false
  const shared = [secretOf(alice), secretOf(alice), secretOf(alice)]
  await expect(givenUp).rejects.toThrow('the store is away')
  expect(await Promise.all(shared)).toEqual(Array(3).fill('the key of alice'))
  expect(read, 'one for all who waited').toHaveLength(2)
})

test('only so many users are kept, those of late', async () => {
  ring = ringOf(60_000, 2)
  for (const user of ['a', 'b', 'c', 'c', 'b', 'a']) await ring.providersOf(userOf(user))
  expect(read).toEqual(['a', 'b', 'c', 'a'])
})

test('a row that was copied to another user, or said to be of another provider, does not open', async () => {
  await add(alice, { secret: 'the key of alice' })
  const copy = (column: string, value: string) =>
    at.admin(
      `insert into provider_keys (id, user_id, provider, name, sealed, kek, last_four, is_default)
       select gen_random_uuid(),
         case '${column}' when 'user_id' then '${value}' else user_id end,
         case '${column}' when 'provider' then '${value}' else provider end, 'copy', sealed, kek, last_four, false
       from provider_keys where user_id = 'alice' and name = 'work'`,
    )
  await copy('user_id', 'bob')
  await copy('provider', 'mistral')
  const unreadable = { code: 'unavailable', extensions: { reason: 'provider_key_unreadable' } }
  await expect(ring.open(bob, 'openai', 'copy')).rejects.toMatchObject(unreadable)
  await expect(ring.open(alice, 'mistral', 'copy')).rejects.toMatchObject(unreadable)
  await at.admin(`update provider_keys set base_url = 'https://thief.example.com' where user_id = 'alice'`)
  ring.forget('alice')
  const admin = { ...alice, permissions: ['*'] }
  await expect(ring.open(admin, 'openai')).rejects.toMatchObject(unreadable)
})

test('a store that gives out rows of another user is not believed', async () => {
  await add(bob, {})
  const confused = createKeyRing({
    ...{ cipher, cacheMs: 1_000, maxUsers: 9 },
    store: { list: () => kept.list(bob) },
  })
  await expect(confused.open(alice, 'openai')).rejects.toThrow("another user's")
})

test('a key with an endpoint of its own is for who may name endpoints, today', async () => {
  await add(alice, { baseUrl: 'https://llm.example.com' })
  await expect(ring.open(alice, 'openai')).rejects.toMatchObject({ code: 'insufficient_permission' })
  const admin = { ...alice, permissions: ['agents.query', 'llm.custom_urls'] }
  expect((await ring.open(admin, 'openai')).baseUrl).toBe('https://llm.example.com')
})
