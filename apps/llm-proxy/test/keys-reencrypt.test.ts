import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { postgrestBinary } from '@waybill/dev-env'
import { Secret } from '@waybill/service-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createKeyRing } from '../src/keys/key-ring.ts'
import { reencryptKeys } from '../src/keys/reencrypt.ts'
import { addKey, cipherOf, entryOf, randomKek, userOf } from './keys-setting.ts'
import { startPostgresStand, startSupabaseStand } from './keys-stores.ts'
import type { StoreStand } from './keys-stores.ts'

const COMMAND = fileURLToPath(new URL('../src/bin/reencrypt-keys.ts', import.meta.url))
const STORES = [
  { name: 'postgres', start: startPostgresStand },
  { name: 'supabase', start: startSupabaseStand },
].filter(({ name }) => name === 'postgres' || postgrestBinary() !== undefined)

const alice = userOf('alice')
const [v1, v2] = [`v1:${randomKek()}`, `v2:${randomKek()}`]
const before = cipherOf(v1)
const between = cipherOf(`${v2},${v1}`)
const after = cipherOf(v2)

describe.each(STORES)('keys:reencrypt, keys in $name', ({ name, start }) => {
  let stand: StoreStand

  beforeAll(async () => {
    stand = await start()
  }, 30_000)
  afterAll(() => stand.close())
  beforeEach(() => stand.admin('delete from provider_keys'))

  async function run(keys: string, more: Record<string, string> = {}) {
    const { supabase, own } = stand
    const child = spawn(process.execPath, [COMMAND], {
      env: {
        PATH: process.env.PATH,
        PROVIDER_KEY_ENCRYPTION_KEYS: keys,
        DATABASE_MIGRATION_URL: own.postgres.migrationUrl,
        KEY_STORE: name,
        ...(supabase && {
          ...{ SUPABASE_URL: supabase.url, SUPABASE_REST_PATH: '/' },
          ...{ SUPABASE_PUBLISHABLE_KEY: supabase.publishableKey, SUPABASE_SECRET_KEY: supabase.secretKey },
        }),
        ...more,
      },
    })
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    return { code: child.exitCode, out, err }
  }
  const openedBy = async (cipher: typeof before) =>
    (await stand.store.list(alice)).map((row) => cipher.open(row).reveal())
  const fill = async (count: number) => {
    for (let index = 0; index < count; index += 1)
      await addKey(stand.store, before, alice, {
        name: `k${String(index)}`,
        secret: `sk-of-alice-${String(index)}`,
        most: 1_000,
      })
  }

  test('old keys open beside a new version, are sealed anew, and open when the old one is gone', async () => {
    await fill(3)
    const bob = userOf('bob')
    await addKey(stand.store, before, bob, { secret: 'sk-of-bob' })
    const secrets = ['sk-of-alice-0', 'sk-of-alice-1', 'sk-of-alice-2']
    expect(await openedBy(between)).toEqual(secrets)
    const rows = await stand.store.list(alice)
    expect(await run(`${v2},${v1}`)).toEqual({
      code: 0,
      out: '4 provider keys, 4 of them sealed anew.\n',
      err: '',
    })
    expect(await openedBy(after)).toEqual(secrets)
    const ring = createKeyRing({ store: stand.store, cipher: after, cacheMs: 1_000, maxUsers: 9 })
    expect((await ring.open(bob, 'openai')).secret.reveal()).toBe('sk-of-bob')
    const unchanged = rows.map(({ sealed: _sealed, kek: _kek, ...rest }) => rest)
    expect(await stand.store.list(alice), 'nothing else is changed').toMatchObject(unchanged)
    expect(await reencryptKeys(stand.sealedRows(), after)).toEqual({ renewed: 0, all: 4, unopened: [] })
    const audit = await stand.own.admin(
      `select actor, details from audit where action = 'provider_key.reencrypt' and outcome = 'success'`,
    )
    expect(audit).toEqual(
      Array(4).fill({ actor: 'service:llm-proxy', details: { provider: 'openai', from: 'v1', to: 'v2' } }),
    )
  })

  test('what cannot be opened stays as it is, is named by id, and the rest is done', async () => {
    await fill(2)
    const lost = await addKey(stand.store, cipherOf(`v0:${randomKek()}`), alice, { name: 'lost' })
    const damaged = await addKey(stand.store, between, alice, { name: 'damaged' })
    await stand.admin(
      `update provider_keys set sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) where id = $1`,
      [damaged.id],
    )
    const { code, out, err } = await run(`${v2},${v1}`)
    expect([code, out]).toEqual([1, '4 provider keys, 2 of them sealed anew.\n'])
    expect(err.trim().split('\n').sort()).toEqual(['2 could not be opened:', lost.id, damaged.id].sort())
    const kept = (await stand.store.list(alice)).find(({ id }) => id === lost.id)
    expect(kept).toEqual(lost)
  })

  test('two runs at once, while keys are rotated and added under the old version, leave none behind', async () => {
    await fill(20)
    const rows = await stand.store.list(alice)
    const rotating = rows.slice(0, 10).map(({ id, ...row }) => {
      const rotated = { ...before.seal({ id, ...row }, new Secret(`sk-rotated-${row.name}`)), lastFour: '' }
      return stand.store.change(alice, id, { rotated }, entryOf(alice, 'rotate', id))
    })
    const adding = addKey(stand.store, before, alice, { name: 'late', secret: 'sk-late', most: 99 })
    const runs = [stand.sealedRows(), stand.sealedRows()].map((all) => reencryptKeys(all, between))
    await Promise.all([...runs, ...rotating, adding])
    await reencryptKeys(stand.sealedRows(), between)
    const expected = rows.map((row, index) =>
      index < 10 ? `sk-rotated-${row.name}` : `sk-of-alice-${row.name.slice(1)}`,
    )
    expect((await openedBy(after)).sort()).toEqual([...expected, 'sk-late'].sort())
  }, 30_000)

  test('a key that is rotated after it was read keeps its new secret, and is sealed anew all the same', async () => {
    await fill(2)
    const rows = stand.sealedRows()
    let times = 0
    const replace: typeof rows.replace = async (row, renewed) => {
      times += 1
      if (times === 1) {
        const rotated = { ...before.seal(row, new Secret('sk-rotated')), lastFour: '' }
        await stand.store.change(alice, row.id, { rotated }, entryOf(alice, 'rotate', row.id))
      }
      return rows.replace(row, renewed)
    }
    const done = await reencryptKeys({ page: (after_, most) => rows.page(after_, most), replace }, between)
    expect(done).toEqual({ renewed: 2, all: 2, unopened: [] })
    expect(await openedBy(after)).toContain('sk-rotated')
  })

  test('without what it needs it says so, and does nothing', async () => {
    await fill(1)
    const variable = name === 'supabase' ? 'SUPABASE_SECRET_KEY' : 'DATABASE_MIGRATION_URL'
    const { code, err } = await run(`${v2},${v1}`, { [variable]: '' })
    expect([code, err]).toEqual([2, expect.stringContaining(variable)])
    expect(await openedBy(before)).toEqual(['sk-of-alice-0'])
  })

  test('a credential that is not enough is told, and is not taken for a store without keys', async () => {
    await fill(1)
    const { supabase, own } = stand
    const less: Record<string, string> = supabase
      ? { SUPABASE_SECRET_KEY: supabase.publishableKey }
      : { DATABASE_MIGRATION_URL: own.postgres.databaseUrl }
    const refusal = supabase ? 'The secret key of the project does not let' : 'permission denied'
    expect(await run(`${v2},${v1}`, less)).toEqual({
      code: 2,
      out: '',
      err: expect.stringContaining(refusal),
    })
  })
})
