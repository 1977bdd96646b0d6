import { beforeEach, describe, expect, test } from 'vitest'
import type { CreateOptions } from '../src/backend.ts'
import { sortKeys } from '../src/query/page.ts'
import { HOSTILE } from './setting.ts'
import { onPostgrest } from './fixtures/on-postgrest.ts'
import { startSupabaseStand } from './supabase-stand.ts'
import type { SupabaseStand } from './supabase-stand.ts'

let stand: SupabaseStand
onPostgrest(
  async () => {
    stand = await startSupabaseStand()
  },
  () => stand.close(),
)
beforeEach(async () => {
  await stand.admin('delete from notes; delete from "tenant-notes"')
  await stand.backend.create(stand.as('alice'), [{ id: 'a', data: { n: 1 }, name: 'data' }], OPTIONS)
})

const OPTIONS: CreateOptions = { includeVector: false, onConflict: 'error' }
const ALL = { filter: undefined, order: sortKeys(), after: undefined, limit: 100, includeVector: false }
const everything = { field: 'version', op: 'ge' as const, value: 1 }

/** Straight to PostgREST: what our code would send that forgot whose records it is about. */
async function raw(method: string, path: string, token?: string, body?: object) {
  const answer = await fetch(stand.supabase.url + path, {
    method,
    headers: {
      apikey: stand.supabase.publishableKey,
      'Content-Type': 'application/json',
      Prefer: 'return=representation',
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: await answer.json() }
}

const kept = () => stand.admin('select owner, id, data, version from notes')
const ALICES = [{ owner: 'alice', id: 'a', data: { n: 1 }, version: 1 }]

describe('the policies of the database decide', () => {
  test.each<[string, string, string, object?]>([
    ['read', 'GET', '/notes?select=id'],
    ['change', 'PATCH', '/notes?id=not.is.null&select=id', { data: {} }],
    ['delete', 'DELETE', '/notes?id=not.is.null&select=id'],
  ])('with another’s token, to %s everything touches nothing', async (_what, method, path, body) => {
    expect(await raw(method, path, await stand.token('bob'), body)).toEqual({ status: 200, body: [] })
    expect(await kept()).toEqual(ALICES)
  })

  test.each<[string, string, object]>([
    ['for another', '/notes', { id: 'x', data: {}, owner: 'alice' }],
    ['as old as one likes', '/notes', { id: 'x', data: {}, created_at: '2001-01-01' }],
    ['of a version', '/notes', { id: 'x', data: {}, version: 7 }],
  ])('nobody writes a record %s', async (_what, path, body) => {
    const { status, body: told } = await raw('POST', path, await stand.token('bob'), body)
    expect([status, told]).toEqual([403, expect.objectContaining({ code: '42501' })])
    expect(await kept()).toEqual(ALICES)
  })

  test('nobody gives a record away, or another id', async () => {
    const token = await stand.token('alice')
    for (const body of [{ owner: 'bob' }, { id: 'b' }]) {
      expect((await raw('PATCH', '/notes?id=eq.a', token, body)).status).toBe(403)
    }
    expect(await kept()).toEqual(ALICES)
  })

  test('the functions touch the caller’s own only', async () => {
    const body = { changes: [{ id: 'a', version: 1, data: { stolen: true } }] }
    for (const how of ['replace_many', 'delete_many']) {
      expect((await raw('POST', `/rpc/notes_${how}`, await stand.token('bob'), body)).status).toBe(409)
    }
    expect((await raw('POST', '/rpc/notes_replace_many', undefined, body)).status).toBe(401)
    expect(await kept()).toEqual(ALICES)
  })

  test('without a token there is nothing, and with one that has no subject neither', async () => {
    expect(await raw('GET', '/notes')).toMatchObject({ status: 401, body: { code: '42501' } })
    const nobody = await stand.token('', {})
    expect(await raw('GET', '/notes?select=id', nobody)).toEqual({ status: 200, body: [] })
    expect((await raw('POST', '/notes', nobody, { id: 'x', data: {} })).status).toBe(403)
  })

  test('a token for a service of the platform is none for Supabase', async () => {
    for (const aud of ['data_store', 'waybill', ['data_store', 'waybill']]) {
      const { status, body } = await raw('GET', '/notes', await stand.token('alice', { aud }))
      expect([status, body]).toMatchObject([401, { message: 'JWTNotInAudience' }])
    }
  })

  test('the secret key reads no record', async () => {
    const { secretKey } = stand.supabase
    expect((await raw('GET', '/notes?select=data', secretKey)).status).toBe(403)
    expect((await raw('DELETE', '/notes?id=not.is.null', secretKey)).status).toBe(403)
    expect(await kept()).toEqual(ALICES)
  })

  test('a collection of a tenant is seen by whose token names it, and by nobody without', async () => {
    const operation = (subject: string, tenant?: string) =>
      stand.as(subject, { scope: 'tenant', owner: tenant ?? 't1', ...(tenant !== undefined && { claims: { tenant_id: tenant } }) }) // prettier-ignore
    await stand.backend.create(operation('alice', 't1'), [{ id: 'x', data: {}, name: 'data' }], OPTIONS)
    expect(await stand.backend.find(operation('bob', 't1'), ALL)).toMatchObject([{ id: 'x', owner: 't1' }])
    expect(await stand.backend.find(operation('carol', 't2'), ALL)).toEqual([])
    expect(await stand.backend.find(operation('alice'), ALL)).toEqual([])
  })
})

test('an operation that names another owner than the token gets, changes and deletes nothing', async () => {
  const { backend } = stand
  const asBob = () => stand.as('bob', { owner: 'alice' })
  expect(await backend.find(asBob(), ALL)).toEqual([])
  expect(await backend.read(asBob(), 'a')).toBeUndefined()
  expect(await backend.count(asBob(), undefined, 'exact')).toBe(0)
  expect(await backend.update(asBob(), 'a', () => ({}))).toBeUndefined()
  expect(await backend.delete(asBob(), 'a', () => undefined)).toBe(false)
  expect(await backend.deleteMany(asBob(), everything, 100)).toEqual([])
  expect(await kept()).toEqual(ALICES)
})

const QUOTING = [
  'a,b',
  'c"d',
  ')',
  '(',
  '*',
  '%',
  '\\',
  'id.eq.a',
  'a&id=not.is.null',
  'a%00',
  '..',
  'a/b',
  'in.(a)',
]
test.each([...HOSTILE, ...QUOTING])('the owner and the id %j widen nothing', async (value) => {
  const { backend } = stand
  await backend.create(stand.as(value), [{ id: 'own', data: {}, name: 'data' }], OPTIONS)
  expect(await backend.find(stand.as(value), ALL)).toMatchObject([{ id: 'own', owner: value }])
  expect(await backend.read(stand.as('alice'), value)).toBeUndefined()
  expect(await backend.update(stand.as('alice'), value, () => ({}))).toBeUndefined()
  expect(await backend.delete(stand.as('alice'), value, () => undefined)).toBe(false)
  expect((await kept()).filter(({ owner }) => owner === 'alice')).toEqual(ALICES)
})

test.each<[string, string, string]>([
  ['is not forced', 'alter table notes no force row level security', 'row-level security is not forced'],
  ['has lost a policy', 'drop policy notes_update on notes', 'there is no policy for update'],
  [
    'lets everybody read',
    `create policy wide on notes for select to authenticated using (true)`,
    'a policy does not compare the owner with the claim sub',
  ],
  [
    'lets some read more',
    `create policy wide on notes for select to authenticated
      using (owner = (select current_setting('request.jwt.claims', true)::jsonb ->> 'sub') or id = 'a')`,
    'a policy does not compare the owner with the claim sub',
  ],
  ['can be given away', 'grant update (owner) on notes to authenticated', 'authenticated may update (owner)'],
  [
    'is searched by strangers',
    'grant execute on function notes_search to public',
    'everybody may execute notes_search',
  ],
  ['can be emptied', 'grant truncate on notes to authenticated', 'authenticated may truncate'],
  ['is open to strangers', 'grant select on notes to anon', 'anon may select'],
])('the verification of collections.sql finds a table that %s', async (_what, harm, fault) => {
  expect(await stand.admin('select * from waybill.faults()')).toEqual([])
  try {
    await stand.admin(harm)
    expect(await stand.admin('select * from waybill.faults()')).toEqual([
      { collection: 'public.notes', fault },
    ])
  } finally {
    await stand.admin(
      `drop policy if exists wide on notes; select waybill.declare_collection('notes', 'user')`,
    )
  }
})
