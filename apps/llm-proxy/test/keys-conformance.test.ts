import { postgrestBinary } from '@waybill/dev-env'
import { Secret } from '@waybill/service-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { KeyStore } from '../src/keys/key-store.ts'
import { addKey, cipherOf, entryOf, newKey, randomKek, userOf } from './keys-setting.ts'
import { startPostgresStand, startSupabaseStand } from './keys-stores.ts'
import type { StoreStand } from './keys-stores.ts'

const alice = userOf('alice')
const bob = userOf('bob')
const cipher = cipherOf(`v1:${randomKek()}`)
const STORES = [
  { name: 'postgres', start: startPostgresStand },
  { name: 'supabase', start: startSupabaseStand },
].filter(({ name }) => name === 'postgres' || postgrestBinary() !== undefined)

describe.each(STORES)('a store of keys: $name', ({ name, start }) => {
  let stand: StoreStand
  let store: KeyStore

  beforeAll(async () => {
    stand = await start()
    store = stand.store
  }, 30_000)
  afterAll(() => stand.close())
  beforeEach(() => stand.admin('delete from provider_keys'))

  const audit = async () =>
    stand.own.admin('select action, resource, outcome, on_behalf_of, actor from audit order by id')

  test('what is added is there as it was given, for its owner only', async () => {
    const given = newKey(cipher, alice, { secret: 'sk-of-alice-0001', name: 'work' })
    const added = await store.add(alice, { ...given, checked: true }, 10, entryOf(alice, 'add', given.id))
    expect(added).toMatchObject({
      userId: 'alice',
      name: 'work',
      kek: 'v1',
      lastFour: '0001',
      isDefault: true,
    })
    expect(added.checkedAt?.getTime()).toBeGreaterThan(Date.now() - 60_000)
    expect(added.rotatedAt).toBeNull()
    expect(await store.list(alice)).toEqual([added])
    expect(cipher.open(added).reveal()).toBe('sk-of-alice-0001')
    expect(await store.list(bob)).toEqual([])
  })

  test('bytes are kept to the letter, whatever they are', async () => {
    const sealed = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const given = { ...newKey(cipher, alice, {}), sealed }
    await store.add(alice, given, 10, entryOf(alice, 'add', given.id))
    expect((await store.list(alice))[0]?.sealed.equals(sealed)).toBe(true)
  })

  test("another's key is neither changed nor removed, and looks as if there were none", async () => {
    const { id } = await addKey(store, cipher, alice, {})
    const change = { name: 'mine', isDefault: true, checked: true }
    expect(await store.change(bob, id, change, entryOf(bob, 'change', id))).toBeUndefined()
    expect(await store.remove(bob, id, entryOf(bob, 'delete', id))).toBe(false)
    expect(await store.list(alice)).toMatchObject([{ id, name: 'work', checkedAt: null }])
  })

  test('a key in the name of another is refused, or becomes who adds it', async () => {
    const forged = newKey(cipher, alice, {})
    await store.add(bob, forged, 10, entryOf(bob, 'add', forged.id)).catch(() => undefined)
    expect(await store.list(alice)).toEqual([])
  })

  test('there is one default for a provider, also when many make theirs the default at once', async () => {
    const keys = await Promise.all(
      Array.from({ length: 8 }, (_, index) => addKey(store, cipher, alice, { name: `k${String(index)}` })),
    )
    const defaults = async () => (await store.list(alice)).filter(({ isDefault }) => isDefault)
    expect(await defaults()).toHaveLength(1)
    await Promise.all(
      keys.map(({ id }) => store.change(alice, id, { isDefault: true }, entryOf(alice, 'default', id))),
    )
    const [left, ...more] = await defaults()
    expect(more).toEqual([])
    await store.remove(alice, left?.id ?? '', entryOf(alice, 'delete', left?.id ?? ''))
    expect(await defaults(), 'it passes to nobody').toEqual([])
    await addKey(store, cipher, alice, { name: 'not', isDefault: false })
    expect(await defaults()).toEqual([])
    await addKey(store, cipher, alice, { name: 'next' })
    expect((await defaults()).map((key) => key.name)).toEqual(['next'])
    await addKey(store, cipher, alice, { name: 'taker', isDefault: true })
    expect((await defaults()).map((key) => key.name)).toEqual(['taker'])
  })

  test('of many that are added at once no more are kept than may be', async () => {
    const added = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) =>
        addKey(store, cipher, alice, { name: `k${String(index)}`, most: 5 }),
      ),
    )
    const refusals = added.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
    expect(refusals).toHaveLength(7)
    for (const refusal of refusals)
      expect(refusal).toMatchObject({ code: 'conflict', extensions: { reason: 'too_many_keys' } })
    expect(await store.list(alice)).toHaveLength(5)
  })

  test('a name is taken once for a user and provider', async () => {
    const { id } = await addKey(store, cipher, alice, { name: 'one' })
    await addKey(store, cipher, alice, { name: 'one', provider: 'anthropic' })
    await addKey(store, cipher, bob, { name: 'one' })
    await addKey(store, cipher, alice, { name: 'two' })
    const taken = { code: 'conflict', extensions: { reason: 'name_taken' } }
    await expect(addKey(store, cipher, alice, { name: 'one' })).rejects.toMatchObject(taken)
    await expect(
      store.change(alice, id, { name: 'two' }, entryOf(alice, 'rename', id)),
    ).rejects.toMatchObject(taken)
  })

  test('each part of a change is made, and nothing else', async () => {
    const before = await addKey(store, cipher, alice, {})
    const change = async (what: Parameters<KeyStore['change']>[2]) =>
      store.change(alice, before.id, what, entryOf(alice, 'change', before.id))
    expect(await change({ name: 'other' })).toEqual({ ...before, name: 'other' })
    expect(await change({ isDefault: false })).toEqual({ ...before, name: 'other', isDefault: false })
    const checked = await change({ checked: true })
    expect(checked?.checkedAt).not.toBeNull()
    const rotated = { ...cipher.seal(before, new Secret('sk-another-0002')), lastFour: '0002' }
    const after = await change({ rotated })
    expect(after).toMatchObject({
      lastFour: '0002',
      checkedAt: null,
      name: 'other',
      createdAt: before.createdAt,
    })
    expect(after?.rotatedAt).not.toBeNull()
    expect(after && cipher.open(after).reveal()).toBe('sk-another-0002')
    expect((await change({ rotated, checked: true }))?.checkedAt).not.toBeNull()
  })

  test('what is done stands in the audit in the name of whom it is done for, and nothing of the secret', async () => {
    await stand.own.admin('truncate audit')
    const { id } = await addKey(store, cipher, alice, { secret: 'sk-audited-0001' })
    await store.change(alice, id, { isDefault: true }, entryOf(alice, 'default', id))
    await store.remove(alice, id, entryOf(alice, 'delete', id))
    await store.note(alice, { ...entryOf(alice, 'check', id), outcome: 'failure' })
    const rows = await audit()
    const done = rows.filter(({ outcome }) => outcome !== 'intent')
    expect(done.map(({ action, outcome }) => [action, outcome])).toEqual([
      ['provider_key.add', 'success'],
      ['provider_key.default', 'success'],
      ['provider_key.delete', 'success'],
      ['provider_key.check', 'failure'],
    ])
    expect(rows.every((row) => row.actor === 'user:alice' && row.resource === `provider_key/${id}`)).toBe(
      true,
    )
    expect(rows.length - done.length, 'elsewhere, what is about to be done stands there before').toBe(
      name === 'supabase' ? 3 : 0,
    )
    expect(JSON.stringify(rows)).not.toContain('audited')
  })
})
