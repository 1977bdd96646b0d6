import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HOSTILE, records, startSetting } from './setting.ts'
import type { Client, Setting } from './setting.ts'

let setting: Setting
let alice: Client
let bob: Client
let auditor: Client

beforeAll(async () => {
  setting = await startSetting()
  alice = await setting.as('alice', { act: { sub: 'llm-proxy' } })
  bob = await setting.as('bob')
  auditor = await setting.as('ann', { scope: 'audit.read' })
  for (const id of ['a', 'b', 'c']) await alice('post', records('postgres'), { id, data: {} }).expect(201)
  await alice('post', records('postgres'), { id: 'a', data: {} }).expect(409)
  await alice('post', records('postgres', 'notes-2'), { id: 'a', data: {} })
    .set('X-Request-ID', 'req-1')
    .expect(201)
  await alice('post', `${records('postgres', 'notes-2')}/bulk`, {
    records: ['d', 'e'].map((id) => ({ id, data: {} })),
  })
  await bob('post', records('postgres'), { id: 'of-bob', data: {} }).expect(201)
})
afterAll(() => setting.close())

interface Page {
  items: { id: string; resource: string; outcome: string; actor: string; on_behalf_of: string | null }[]
  next_cursor: string | null
}
const read = async (client: Client, query = '') =>
  (await client('get', `/v1/audit${query}`).expect(200)).body as Page
const resources = ({ items }: Page) => items.map(({ resource, outcome }) => `${resource} ${outcome}`)

const ALL = [
  'postgres/notes-2 success',
  'postgres/notes-2/a success',
  'postgres/notes/a failure',
  'postgres/notes/c success',
  'postgres/notes/b success',
  'postgres/notes/a success',
]

describe('GET /v1/audit', () => {
  test('has the caller’s own rows, newest first, with who acted for them', async () => {
    const page = await read(alice)
    expect(resources(page)).toEqual(ALL)
    expect(page.next_cursor).toBeNull()
    expect(page.items[1]).toEqual({
      id: expect.stringMatching(/^\d+$/) as string,
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/) as string,
      actor: 'service:llm-proxy',
      on_behalf_of: 'user:alice',
      actors: ['llm-proxy'],
      via: 'jwt',
      action: 'record.create',
      resource: 'postgres/notes-2/a',
      outcome: 'success',
      details: { version: 1 },
      request_id: 'req-1',
      trace_id: null,
    })
    expect(resources(await read(bob))).toEqual(['postgres/notes/of-bob success'])
    expect(await read(await setting.as('nobody'))).toEqual({ items: [], next_cursor: null })
  })

  test('comes a page at a time, each row exactly once', async () => {
    const seen: string[] = []
    let cursor: string | null = ''
    for (let page = 0; page < 5 && cursor !== null; page += 1) {
      const found = await read(alice, `?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
      seen.push(...resources(found))
      cursor = found.next_cursor
    }
    expect(seen).toEqual(ALL)
  })

  test.each([
    ['resource=postgres', ALL],
    ['resource=postgres/notes', ALL.slice(2)],
    ['resource=postgres/notes/a', ['postgres/notes/a failure', 'postgres/notes/a success']],
    // What was done to it together with others.
    ['resource=postgres/notes-2/d', ['postgres/notes-2 success']],
    ['resource=postgres/notes/d', []],
    ['request_id=req-1', ['postgres/notes-2/a success']],
    ['request_id=req-2', []],
    ['action=record.create', ALL],
    ['action=record.delete', []],
    ['resource=postgres/note', []],
    ['resource=lancedb', []],
    ['outcome=failure', ['postgres/notes/a failure']],
    ['resource=postgres/notes&outcome=success&subject=user:alice', ALL.slice(3)],
  ])('?%s narrows it', async (query, expected) => {
    expect(resources(await read(alice, `?${query}`))).toEqual(expected)
  })

  test.each([
    'cursor=!',
    `cursor=${Buffer.from('notes').toString('base64url')}`,
    `cursor=${Buffer.from('1 or 1=1').toString('base64url')}`,
    'limit=0',
    'limit=201',
    'outcome=all',
    'action=create',
    'action=record.%25',
    'request_id=a b',
    'resource=',
    'resource=postgres/',
    'resource=%25',
    'subject=alice',
    'subject=user:',
    'subject=user:a%00b',
    'owner=bob',
    'outcome=success&outcome=failure',
  ])('?%s is refused', async (query) => {
    await alice('get', `/v1/audit?${query}`).expect(400)
  })

  test.each(HOSTILE)('a hostile resource or subject finds nothing of others: %s', async (value) => {
    const text = encodeURIComponent(value)
    await alice('get', `/v1/audit?resource=${text}`).expect(400)
    const { status } = await alice('get', `/v1/audit?subject=user:${text}`)
    expect([400, 403]).toContain(status)
    expect(resources(await read(auditor, `?subject=user:${text}`))).toEqual([])
  })

  test('somebody else’s rows want audit.read, whether there are any or not', async () => {
    for (const subject of ['user:bob', 'user:nobody', 'service:llm-proxy']) {
      const refused = await alice('get', `/v1/audit?subject=${subject}`).expect(403)
      expect(refused.body).toMatchObject({ code: 'insufficient_permission', permission: 'audit.read' })
    }
    for (const scope of ['audit.read', 'memory.read audit.*', '*']) {
      const reader = await setting.as('ann', { scope })
      expect(resources(await read(reader, '?subject=user:bob'))).toEqual(['postgres/notes/of-bob success'])
    }
  })

  test('reading somebody else’s leaves a row of the reader', async () => {
    const reader = await setting.as('anton', { scope: '*' })
    await read(reader, '?subject=user:bob')
    expect((await read(reader)).items).toMatchObject([
      { actor: 'user:anton', action: 'audit.read', resource: 'audit/user:bob', outcome: 'success' },
    ])
    expect(resources(await read(bob))).toEqual(['postgres/notes/of-bob success'])
  })
})

describe('row-level security is what keeps the rows of the audit apart', () => {
  const seenWith = async (claims: Record<string, string>) => {
    const set = Object.entries(claims).map(([name, value]) => `set local waybill.${name} = '${value}';`)
    await setting.admin(`begin; ${set.join(' ')} set local role data_store_user`)
    const rows = await setting.admin('select distinct coalesce(on_behalf_of, actor) as subject from audit')
    await setting.admin('rollback')
    return rows.map(({ subject }) => subject)
  }

  test.each([
    [{}, []],
    [{ subject: '' }, []],
    [{ subject: 'user:bob' }, ['user:bob']],
    [{ subject: 'bob' }, []],
    [{ user_id: 'bob' }, []],
    [{ subject: 'service:llm-proxy' }, []],
    [{ subject: 'user:bob', permissions: 'memory.read auth.admin' }, ['user:bob']],
    [{ subject: 'user:bob', permissions: 'memory.read audit.reader xaudit.read' }, ['user:bob']],
  ])('with the claims %j one sees %j', async (claims, subjects) => {
    expect(await seenWith(claims)).toEqual(subjects)
  })

  test.each(['*', 'audit.*', 'memory.read audit.read'])('with %s one sees all', async (permissions) => {
    expect(await seenWith({ subject: 'user:ann', permissions })).toEqual(
      expect.arrayContaining(['user:alice', 'user:bob']),
    )
  })

  test('without the policy of the own rows there are none: the tests above can fail', async () => {
    await setting.admin('alter policy audit_select_own on audit using (false)')
    expect(resources(await read(bob))).toEqual([])
    await setting.admin('alter policy audit_select_own on audit using (true)')
    expect(await seenWith({ subject: 'user:bob' })).toContain('user:alice')
    await setting.admin(`alter policy audit_select_own on audit
      using (coalesce(on_behalf_of, actor) = (select nullif(current_setting('waybill.subject', true), '')))`)
    expect(await seenWith({ subject: 'user:bob' })).toEqual(['user:bob'])
  })
})
