import { readFile } from 'node:fs/promises'
import { lintRowSecurity } from '@waybill/database'
import { postgrestBinary } from '@waybill/dev-env'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addKey, cipherOf, entryOf, newKey, randomKek, userOf } from './keys-setting.ts'
import { startSupabaseStand } from './keys-stores.ts'
import type { StoreStand } from './keys-stores.ts'

/** What a Supabase project is by nature, and what data_store's part of it is. */
const EXCEPTIONS = {
  'set-config PUBLIC':
    'PostgREST sets the claims by it; what a request calls is the functions of the API only',
  'powerful-role service_role': 'the role of the secret key, which is never sent on a call of a user',
  'rls-disabled waybill.collections':
    'its schema is not exposed, and no role of the API has a privilege on it',
}

describe.skipIf(postgrestBinary() === undefined)('provider keys in a project of Supabase', () => {
  let stand: StoreStand
  const alice = userOf('alice')
  const cipher = cipherOf(`v1:${randomKek()}`)

  beforeAll(async () => {
    stand = await startSupabaseStand()
    await addKey(stand.store, cipher, alice, {})
  }, 30_000)
  afterAll(() => stand.close())

  /** What PostgREST answers to whoever has this token; without one, to anybody. */
  async function asked(path: string, token?: string, init: RequestInit = {}): Promise<[number, unknown]> {
    const answer = await fetch(`${stand.supabase?.url ?? ''}/${path}`, {
      ...init,
      headers: {
        'Content-Type': 'application/json',
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      },
    })
    const text = await answer.text()
    return [answer.status, text === '' ? undefined : JSON.parse(text)]
  }
  const token = (claims: object = {}) => stand.token('alice', claims)

  test('a token of the user that llm-proxy was given sees the key, sealed', async () => {
    const [status, rows] = await asked('provider_keys', await token())
    expect([status, rows]).toMatchObject([200, [{ user_id: 'alice', name: 'work' }]])
  })

  test.each([
    ['that another service was given for the user', { client_id: 'data_store' }],
    ['that says nothing of who was given it', { client_id: undefined }],
    ['of another user', { sub: 'bob' }],
    ['without a user', { sub: '' }],
  ])('a token %s sees none, changes none and adds none', async (_of, claims) => {
    const other = await token(claims)
    expect(await asked('provider_keys', other)).toEqual([200, []])
    const change = { method: 'PATCH', body: JSON.stringify({ name: 'mine' }), headers: {} }
    await asked('provider_keys?name=eq.work', other, change)
    await asked('provider_keys', other, { method: 'DELETE' })
    expect(await stand.store.list(alice)).toMatchObject([{ name: 'work' }])
    if ('sub' in claims && claims.sub === 'bob') return
    const { id, provider, name, kek } = newKey(cipher, alice, { name: 'added' })
    const key = { id, user_id: 'alice', provider, name, kek, last_four: '', sealed: `\\x${'00'.repeat(40)}` }
    const body = JSON.stringify({ key, most: 9 })
    expect(await asked('rpc/provider_key_add', other, { method: 'POST', body })).toMatchObject([
      403,
      { code: '42501' },
    ])
  })

  test('without a token, or of another role, nothing is to be had', async () => {
    expect(await asked('provider_keys')).toMatchObject([401, { code: '42501' }])
    expect(await asked('provider_keys', await token({ role: 'anon' }))).toMatchObject([
      401,
      { code: '42501' },
    ])
  })

  test('whose a key is, for whom and where it is sent cannot be changed', async () => {
    for (const change of [{ user_id: 'bob' }, { provider: 'mistral' }, { base_url: 'https://example.com' }]) {
      const init = { method: 'PATCH', body: JSON.stringify(change) }
      expect(await asked('provider_keys?name=eq.work', await token(), init)).toMatchObject([
        403,
        { code: '42501' },
      ])
    }
  })

  test('the lint of row-level security finds nothing', async () => {
    const client = new pg.Client({ connectionString: stand.supabase?.adminUrl })
    await client.connect()
    try {
      const roles = { loginRole: 'authenticator', userRole: 'authenticated', exceptions: EXCEPTIONS }
      expect(await lintRowSecurity(client, roles)).toEqual([])
      await client.query('alter policy provider_keys_select on provider_keys using (true)')
      expect(await lintRowSecurity(client, roles)).toMatchObject([
        { rule: 'open-policy', object: 'public.provider_keys.provider_keys_select' },
      ])
    } finally {
      await client.end()
    }
  })

  test('the SQL may be run again, and mends what was opened', async () => {
    expect(await asked('provider_keys', await token({ sub: 'bob' }))).toMatchObject([
      200,
      [{ user_id: 'alice' }],
    ])
    await stand.admin(await readFile(new URL('../supabase/provider-keys.sql', import.meta.url), 'utf8'))
    expect(await asked('provider_keys', await token({ sub: 'bob' }))).toEqual([200, []])
  })

  test('while PostgREST is away it is 503, and the audit says that nothing was done', async () => {
    await stand.supabase?.kill()
    await expect(stand.store.list(alice)).rejects.toMatchObject({ code: 'unavailable' })
    const { id } = newKey(cipher, alice, {})
    const adding = stand.store.remove(alice, id, entryOf(alice, 'delete', id))
    await expect(adding).rejects.toMatchObject({ code: 'unavailable' })
    const rows = await stand.own.admin('select outcome from audit where resource = $1 order by id', [
      `provider_key/${id}`,
    ])
    expect(rows.map(({ outcome }) => outcome)).toEqual(['intent', 'failure'])
    await stand.supabase?.restart()
    expect(await stand.store.list(alice)).toHaveLength(1)
  })
})
