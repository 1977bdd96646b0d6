import { describe, expect, test } from 'vitest'
import { HOSTILE } from '../setting.ts'
import type { Client } from '../setting.ts'
import type { Item, Page, Stage } from './stage.ts'

/** Whose records are whose. */
export function ownerCases(stage: Stage): void {
  const { path } = stage
  const owners = async (client: Client, collection: string) => {
    const { body } = await client('get', stage.at(collection)).expect(200)
    return (body as Page).items.map(({ id, owner }) => `${id} ${owner}`)
  }

  test('another user’s record and one that never was get the same answer', async () => {
    await stage.create({ n: 1 }, 'secret', stage.bob)
    const plain = ({ body }: { body: unknown }) =>
      JSON.stringify({ ...(body as object), request_id: '', trace_id: '' }).replaceAll(/secret|absent/g, 'ID')
    for (const method of ['get', 'delete'] as const) {
      const foreign = await stage.alice(method, path('secret')).expect(404)
      const absent = await stage.alice(method, path('absent')).expect(404)
      expect(plain(foreign)).toBe(plain(absent))
    }
    expect(await stage.kept()).toEqual([])
    expect(await stage.stored('secret', stage.bob)).toMatchObject({ version: 1, data: { n: 1 } })
  })

  test('an id that another user has is free, and neither record touches the other', async () => {
    await stage.create({ whose: 'bob' }, 'same', stage.bob)
    await stage.create({ whose: 'alice' }, 'same')
    await stage.alice('patch', path('same'), { data: { n: 1 } }).expect(200)
    expect(await stage.stored('same', stage.bob)).toMatchObject({ owner: stage.bobId, version: 1 })
    await stage.alice('delete', path('same')).expect(204)
    expect(await stage.kept(stage.bob)).toEqual(['same'])
  })

  test('what another user has is in no list, count, or search, whatever the filter says', async () => {
    await stage.create({ text: 'mine words' }, 'a')
    await stage.create({ text: 'mine words' }, 'b', stage.bob)
    const filter = {
      or: [{ field: 'id', op: 'in', value: ['a', 'b'] }, { not: { field: 'id', op: 'is_null' } }],
    }
    const page = await stage.query({ filter, count: 'exact' })
    expect(page).toMatchObject({ items: [{ id: 'a', owner: stage.aliceId }], count: 1 })
    expect(page.items).toHaveLength(1)
    const search = await stage.alice('post', stage.action('search'), { text: 'words' })
    if (stage.backend === 'filemaker') expect(search.status).toBe(501)
    else expect((search.body as Page).items.map(({ id }) => id)).toEqual(['a'])
  })

  test('a record may be said to be the caller’s own; to make it another’s is 403, and nothing is written', async () => {
    const own = { data: { n: 1 }, owner: stage.aliceId }
    await stage.alice('post', path(), { id: 'a', ...own }).expect(201)
    await stage.alice('put', path('a'), own).expect(200)
    await stage.alice('patch', path('a'), own).expect(200)
    const foreign = { data: { n: 2 }, owner: stage.bobId }
    const refusals = [
      stage.alice('post', path(), { id: 'b', ...foreign }),
      stage.alice('post', `${path()}/bulk`, {
        records: [
          { id: 'b', ...own },
          { id: 'c', ...foreign },
        ],
      }),
      stage.alice('put', path('a'), foreign),
      stage.alice('put', `${path('b')}?upsert=true`, foreign),
      stage.alice('patch', path('a'), foreign),
    ]
    for (const refusal of refusals) {
      expect((await refusal.expect(403)).body).toMatchObject({ code: 'forbidden' })
    }
    expect(await stage.stored('a')).toMatchObject({ version: 3, data: { n: 1 } })
    expect([await stage.kept(), await stage.kept(stage.bob)]).toEqual([['a'], []])
  })

  test('a user whose id is hostile, or nearly another’s, sees and touches their own records only', async () => {
    await stage.create({ whose: 'alice' })
    const { aliceId } = stage
    const near = [aliceId.toUpperCase(), `${aliceId}2`, aliceId.slice(0, -1), ` ${aliceId}`, `${aliceId}*`]
    const hostile = HOSTILE.map((text) => text.replace(/alice/i, aliceId))
    for (const userId of [...near, ...hostile]) {
      const client = await stage.setting.as(userId)
      expect(await stage.kept(client), userId).toEqual([])
      for (const condition of [{}, { 'If-Match': '*' }, { 'If-Match': '"1"' }]) {
        for (const method of ['put', 'patch', 'delete'] as const) {
          const body = method === 'delete' ? undefined : { data: { taken: true } }
          await client(method, path('a'), body).set(condition).expect(404)
        }
      }
      const created = await stage.create({ whose: 'theirs' }, 'a', client)
      expect(created.owner).toBe(userId)
      await client('patch', path('a'), { data: { n: 1 } }).expect(200)
      expect(await stage.kept(client)).toEqual(['a'])
      await client('delete', path('a')).expect(204)
    }
    expect(await stage.stored()).toMatchObject({ version: 1, data: { whose: 'alice' } })
  })

  test('identity headers that contradict the credential are refused, and change nothing', async () => {
    await stage.create()
    await stage.alice('get', path()).set('X-User-ID', stage.bobId).expect(401)
    await stage.alice('get', `${path()}?owner=${stage.bobId}`).expect(400)
    const { body } = await stage.alice('get', path()).set('X-User-ID', stage.aliceId).expect(200)
    expect(body).toMatchObject({ items: [{ owner: stage.aliceId }] })
  })

  describe.each([
    ['tenant-notes', 'tenant', 'tenant_id'],
    ['workspace-notes', 'workspace', 'workspace_id'],
  ])('in %s', (collection, scope, claim) => {
    const at = (id?: string) => stage.at(collection, id)
    const member = (name: string, of: string) => stage.as(name, { [claim]: `${of}-${stage.aliceId}` })

    test(`a record belongs to everybody in the ${scope}, and to nobody outside`, async () => {
      const [carol, dave, outsider] = [
        await member('carol', 'one'),
        await member('dave', 'one'),
        await member('erin', 'two'),
      ]
      const owner = `one-${stage.aliceId}`
      const created = await carol('post', at(), { id: 'a', data: { by: 'carol' } }).expect(201)
      expect(created.body).toMatchObject({ owner })
      await dave('patch', at('a'), { data: { and: 'dave' } }).expect(200)
      const read = await carol('get', at('a')).expect(200)
      expect(read.body).toMatchObject({ version: 2, data: { by: 'carol', and: 'dave' } })
      expect(await owners(dave, collection)).toEqual([`a ${owner}`])
      for (const method of ['get', 'delete'] as const) await outsider(method, at('a')).expect(404)
      await outsider('patch', at('a'), { data: {} }).expect(404)
      expect(await owners(outsider, collection)).toEqual([])
      await outsider('post', at(), { id: 'a', data: { by: 'erin' } }).expect(201)
      const all = { filter: { not: { field: 'id', op: 'is_null' } } }
      await outsider('post', stage.action('bulk-delete', collection), all).expect(200)
      expect(await owners(carol, collection)).toEqual([`a ${owner}`])
      await dave('post', at(), { data: {}, owner: `two-${stage.aliceId}` }).expect(403)
    })

    test(`who has no ${scope} sees nothing, and writes nothing`, async () => {
      const carol = await member('carol', 'one')
      await carol('post', at(), { id: 'a', data: {} }).expect(201)
      // Neither does the other claim help.
      const other = claim === 'tenant_id' ? 'workspace_id' : 'tenant_id'
      for (const claims of [{}, { [other]: `one-${stage.aliceId}` }]) {
        const nobody = await stage.as('nobody', claims)
        expect(await owners(nobody, collection)).toEqual([])
        await nobody('get', at('a')).expect(404)
        const count = await nobody('post', stage.action('query', collection), { count: 'exact' }).expect(200)
        expect(count.body).toEqual({ items: [], next_cursor: null, count: 0 })
        const all = { filter: { not: { field: 'id', op: 'is_null' } } }
        const writes = [
          nobody('post', at(), { data: {} }),
          nobody('put', `${at('a')}?upsert=true`, { data: {} }),
          nobody('patch', at('a'), { data: {} }),
          nobody('delete', at('a')),
          nobody('post', `${at()}/bulk`, { records: [{ data: {} }] }),
          nobody('post', stage.action('bulk-patch', collection), { ...all, data: {} }),
          nobody('post', stage.action('bulk-delete', collection), all),
        ]
        for (const write of writes) {
          const { body } = await write.expect(403)
          expect(body).toMatchObject({ code: 'forbidden', detail: expect.stringContaining(claim) as string })
        }
      }
      expect((await carol('get', at('a')).expect(200)).body as Item).toMatchObject({ version: 1 })
    })

    test('a user and a tenant of the same name are not the same owner', async () => {
      await stage.create({ whose: 'alice' })
      const namesake = await stage.as('carol', { [claim]: stage.aliceId })
      expect(await owners(namesake, collection)).toEqual([])
      expect(await stage.kept(namesake)).toEqual([])
      await namesake('post', at(), { id: 'a', data: {} }).expect(201)
      expect(await stage.stored()).toMatchObject({ version: 1, data: { whose: 'alice' } })
    })
  })

  test('who may write and not read learns nothing of what is there by writing', async () => {
    await stage.create({ secret: 1 })
    const blind = await stage.as('alice', { scope: 'memory.write' })
    const filter = { field: 'data.secret', op: 'eq', value: 1 }
    const telling = [
      blind('put', path('a'), { data: {} }),
      blind('put', `${path('a')}?upsert=true`, { data: {} }),
      blind('patch', path('a'), { data: {} }),
      blind('post', `${path()}/bulk`, { records: [{ id: 'a', data: {} }], on_conflict: 'replace' }),
      blind('post', stage.action('bulk-patch'), { filter, data: {} }),
      blind('post', stage.action('bulk-delete'), { filter }),
    ]
    for (const write of telling) {
      const { body } = await write.expect(403)
      expect(body).toMatchObject({ code: 'insufficient_permission', permission: 'memory.read' })
      expect(JSON.stringify(body)).not.toContain('secret')
    }
    expect(await stage.stored()).toMatchObject({ version: 1, data: { secret: 1 } })
    await blind('post', path(), { id: 'b', data: {} }).expect(201)
    await blind('post', `${path()}/bulk`, { records: [{ data: {} }] }).expect(201)
    await blind('delete', path('a')).expect(204)
  })

  test('what the collection asks is what one must be allowed to do, and the answer names it', async () => {
    const at = stage.at('guarded')
    const reader = await stage.as('alice', { scope: 'memory.read memory.write stats.read' })
    const writer = await stage.as('alice', { scope: 'tasks.*' })
    const refused = await stage.alice('get', at).expect(403)
    expect(refused.body).toMatchObject({ code: 'insufficient_permission', permission: 'stats.read' })
    const unwritten = await reader('post', at, { data: {} }).expect(403)
    expect(unwritten.body).toMatchObject({ code: 'insufficient_permission', permission: 'tasks.update' })
    await writer('post', at, { id: 'a', data: {} }).expect(201)
    await writer('get', stage.at('guarded', 'a')).expect(403)
    await reader('get', stage.at('guarded', 'a')).expect(200)
    const weak = await stage.as('alice', { scope: 'tasks.update' })
    const all = { filter: { not: { field: 'id', op: 'is_null' } } }
    await weak('get', path()).expect(403)
    await weak('post', stage.action('query'), {}).expect(403)
    await weak('post', stage.action('search'), { text: 'x' }).expect(403)
    await weak('post', path(), { data: {} }).expect(403)
    await weak('post', stage.action('bulk-delete'), all).expect(403)
  })
}
