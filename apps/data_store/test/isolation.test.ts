import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BACKENDS, dataFor, HOSTILE, records, startSetting } from './setting.ts'
import type { Client, Setting } from './setting.ts'

let setting: Setting
let alice: Client
let bob: Client

beforeAll(async () => {
  setting = await startSetting()
  alice = await setting.as('alice')
  bob = await setting.as('bob')
  for (const backend of BACKENDS) {
    await alice('post', records(backend), { id: 'a', data: dataFor(backend) }).expect(201)
    await bob('post', records(backend), { id: 'b', data: dataFor(backend) }).expect(201)
  }
})
afterAll(() => setting.close())

const owners = async (client: Client, backend: string) => {
  const { body } = (await client('get', records(backend)).expect(200)) as {
    body: { items: { owner: string }[] }
  }
  return body.items.map(({ owner }) => owner)
}

/** With none of them a foreign record may be told from one that is not there. */
const CONDITIONS = [{}, { 'If-Match': '*' }, { 'If-Match': '"1"' }, { 'If-Match': '"2"' }]

describe.each(BACKENDS)('isolation in %s', (backend) => {
  test.each([...HOSTILE, 'ALICE', 'a', 'alic', 'alice2'])(
    'a user whose id is %j sees and touches their own records only',
    async (userId) => {
      const client = await setting.as(userId)
      expect(await owners(client, backend)).toEqual([])
      await client('get', records(backend, 'notes', 'a')).expect(404)
      await client('delete', records(backend, 'notes', 'b')).expect(404)
      for (const condition of CONDITIONS) {
        for (const method of ['put', 'patch', 'delete'] as const) {
          const body = method === 'delete' ? undefined : { data: dataFor(backend, { taken: true }) }
          await client(method, records(backend, 'notes', 'b'), body)
            .set(condition)
            .expect(404)
        }
      }
      await client('post', records(backend), { id: 'a', data: dataFor(backend) }).expect(201)
      await client('patch', records(backend, 'notes', 'a'), { data: { mine: true } }).expect(200)
      await client('put', records(backend, 'notes', 'a'), { data: dataFor(backend) }).expect(200)
      await client('put', records(backend, 'notes', 'b'), { data: dataFor(backend) }).expect(404)
      expect(await owners(client, backend)).toEqual([userId])
      const { body: own } = await client('get', records(backend, 'notes', 'a')).expect(200)
      expect(own).toMatchObject({ owner: userId })
      await client('get', records(backend, 'notes', 'b')).expect(404)
      await client('delete', records(backend, 'notes', 'b')).expect(404)
      if (backend === 'lancedb') {
        const { body } = (await client('post', '/v1/lancedb/collections/notes/search', {
          vector: [1, 0.5, 0],
        })) as {
          body: { items: { owner: string }[] }
        }
        expect(body.items.map(({ owner }) => owner)).toEqual([userId])
      }
      await client('delete', records(backend, 'notes', 'a')).expect(204)
      expect(await owners(alice, backend)).toEqual(['alice'])
      expect(await owners(bob, backend)).toEqual(['bob'])
      for (const [owner, id] of [
        [alice, 'a'],
        [bob, 'b'],
      ] as const) {
        const { body } = await owner('get', records(backend, 'notes', id)).expect(200)
        expect(body).toMatchObject({ version: 1, data: dataFor(backend) })
      }
    },
  )

  test('identity headers that contradict the credential are refused, and change nothing', async () => {
    await alice('get', records(backend)).set('X-User-ID', 'bob').expect(401)
    await alice('get', `${records(backend)}?owner=bob`).expect(400)
    const { body } = await alice('get', records(backend)).set('X-User-ID', 'alice').expect(200)
    expect(body).toMatchObject({ items: [{ owner: 'alice' }] })
  })
})

describe('row-level security is what keeps users apart in Postgres', () => {
  const own = "owner = (select nullif(current_setting('waybill.user_id', true), ''))"

  test('with an open select policy, alice would see bob’s record: the tests above can fail', async () => {
    await setting.admin('alter policy records_select on records using (true)')
    expect(await owners(alice, 'postgres')).toEqual(['alice', 'bob'])
    await alice('get', records('postgres', 'notes', 'b')).expect(200)
    // The policy for deletions still stands by itself.
    await alice('delete', records('postgres', 'notes', 'b')).expect(404)
    await setting.admin(`alter policy records_select on records using (${own})`)
    expect(await owners(alice, 'postgres')).toEqual(['alice'])
  })

  test('with an open delete policy too, alice would delete it', async () => {
    await setting.admin('alter policy records_delete on records using (true)')
    await alice('delete', records('postgres', 'notes', 'b')).expect(404)
    await setting.admin('alter policy records_select on records using (true)')
    await alice('delete', records('postgres', 'notes', 'b')).expect(204)
    await setting.admin(`alter policy records_select on records using (${own})`)
    await setting.admin(`alter policy records_delete on records using (${own})`)
    await bob('post', records('postgres'), { id: 'b', data: {} }).expect(201)
  })

  test('with open select and update policies, alice would change it; with one of them she would not', async () => {
    const change = () => alice('patch', records('postgres', 'notes', 'b'), { data: { by: 'alice' } })
    await setting.admin('alter policy records_select on records using (true)')
    await change().expect(404)
    await setting.admin('alter policy records_update on records using (true) with check (true)')
    await change().expect(200)
    await setting.admin(`alter policy records_select on records using (${own})`)
    await change().expect(404)
    await setting.admin(`alter policy records_update on records using (${own}) with check (${own})`)
    await bob('get', records('postgres', 'notes', 'b')).expect(200)
  })

  test('every table has it enabled and forced, with policies for each granted command and none for PUBLIC', async () => {
    const open = await setting.admin(`
      select relname from pg_class c join pg_namespace n on n.oid = relnamespace
      where nspname = 'public' and relkind in ('r', 'p') and relname not like '%migration%'
        and not (relrowsecurity and relforcerowsecurity)`)
    expect(open).toEqual([])
    const granted = await setting.admin(`
      select distinct table_name, privilege_type from (
        select table_name, privilege_type, grantee from information_schema.role_table_grants
        union all select table_name, privilege_type, grantee from information_schema.column_privileges) g
      where grantee = 'data_store_user' and table_name not like '%migration%'
        and not exists (select from pg_policies p where p.tablename = table_name and p.cmd = privilege_type
          and p.roles = '{data_store_user}')`)
    expect(granted).toEqual([])
    const toPublic = await setting.admin(`
      select table_name from information_schema.role_table_grants where grantee = 'PUBLIC' and table_schema = 'public'`)
    expect(toPublic).toEqual([])
  })

  test('the user role cannot name an owner, and never gets TRUNCATE', async () => {
    const [may] = await setting.admin(`
      select has_column_privilege('data_store_user', 'records', 'owner', 'insert') as owner,
        has_table_privilege('data_store_user', 'records', 'truncate') as truncate,
        has_table_privilege('data_store_user', 'records', 'update') as update,
        has_column_privilege('data_store_user', 'records', 'owner', 'update') as move,
        has_column_privilege('data_store_user', 'records', 'id', 'update') as rename,
        has_table_privilege('data_store_user', 'audit', 'update, delete, truncate') as audit`)
    expect(Object.values(may!)).toEqual([false, false, false, false, false, false])
  })
})
