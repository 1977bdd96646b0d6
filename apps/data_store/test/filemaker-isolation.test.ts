import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { exactly } from '../src/backends/filemaker/criterion.ts'
import { checkDeclared } from '../src/backends/filemaker/declared.ts'
import { ownerKey } from '../src/backends/filemaker/row.ts'
import { startStand } from './filemaker-stand.ts'
import { HOSTILE, records, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())
beforeEach(() => {
  setting.fileMaker.mend()
  setting.fileMaker.forget()
})

const OPERATORS = [
  '==*',
  '=',
  '==',
  '!',
  '<',
  '<=',
  '>',
  '>=',
  '≤',
  '≥',
  '...',
  '//',
  '?',
  '@',
  '#',
  '*',
  '\\',
  '""',
  '*""',
  '~',
]
/** Who look alike to FileMaker, or would be an operator there. */
const USERS = [
  ...[
    'alice@x.io',
    'alice_x.io',
    'ALICE@x.io',
    'àlice@x.io',
    'alice@x.io ',
    'alice*',
    'alice',
    'alice\\',
    'a%6cice',
  ],
  ...OPERATORS,
  ...['=alice', '*"alice', 'alice...bob', 'alice" OR "', 'deleted:user:alice', 'user:alice', '//alice', '##'],
]

interface Item {
  id: string
  owner: string
  data: { mine: string }
}

test('users whose names look alike to FileMaker, or are its operators, never see each other', async () => {
  for (const user of USERS) {
    const client = await setting.as(user)
    await client('post', records('filemaker'), { id: 'same', data: { mine: user } }).expect(201)
  }
  for (const user of USERS) {
    const client = await setting.as(user)
    const { body } = await client('get', records('filemaker')).expect(200)
    expect((body as { items: Item[] }).items).toMatchObject([
      { id: 'same', owner: user, data: { mine: user } },
    ])
    await client('patch', records('filemaker', 'notes', 'same'), { data: { seen: true } }).expect(200)
  }
  for (const user of USERS.slice(1)) {
    const client = await setting.as(user)
    await client('delete', records('filemaker', 'notes', 'same')).expect(204)
  }
  const first = await setting.as(USERS[0] ?? '')
  const { body } = await first('get', records('filemaker', 'notes', 'same')).expect(200)
  expect(body).toMatchObject({ version: 2, data: { mine: USERS[0], seen: true } })
})

test('isolation does not rest on the find: when it gives out everything, nobody sees or touches what is not theirs', async () => {
  const [alice, bob] = [await setting.as('alice-f'), await setting.as('bob-f')]
  await alice('post', records('filemaker'), { id: 'a', data: { mine: 'alice' } }).expect(201)
  await bob('post', records('filemaker'), { id: 'b', data: { mine: 'bob' } }).expect(201)
  setting.fileMaker.fail({ kind: 'find-all' }, { times: 1_000, on: /_find/ })
  const one = records('filemaker', 'notes', 'a')
  await bob('get', one).expect(404)
  await bob('patch', one, { data: { mine: 'bob' } }).expect(404)
  await bob('put', one, { data: { mine: 'bob' } }).expect(404)
  await bob('delete', one).expect(404)
  const everything = { field: 'id', op: 'ne', value: '' }
  const at = (action: string) => `/v1/filemaker/collections/notes/${action}`
  await bob('post', at('bulk-patch'), { filter: everything, data: { by: 'bob' } }).expect(200, {
    affected: 1,
  })
  const { body } = await bob('post', at('query'), { filter: everything, count: 'exact' }).expect(200)
  expect(body).toMatchObject({ items: [{ id: 'b', data: { mine: 'bob', by: 'bob' } }], count: 1 })
  await bob('post', at('bulk-delete'), { filter: everything }).expect(200, { affected: 1 })
  const kept = await alice('get', one).expect(200)
  expect(kept.body).toMatchObject({ version: 1, data: { mine: 'alice' } })
})

test('the owner stands in every request of every find', async () => {
  const carol = await setting.as('carol-c')
  const given = ['a', 'B', 'c.d'].map((id) => ({ id, data: {} }))
  await carol('post', `${records('filemaker')}/bulk`, { records: given }).expect(201)
  const filter = {
    or: [
      { field: 'id', op: 'in', value: ['a', 'B'] },
      { field: 'data.x', op: 'is_null' },
    ],
  }
  for (const body of [{ filter }, { filter: filter.or[0] }, {}]) {
    await carol('post', '/v1/filemaker/collections/notes/query', body).expect(200)
  }
  await carol('delete', records('filemaker', 'notes', 'a')).expect(204)
  const finds = setting.fileMaker.seen.filter(({ url }) => url.endsWith('/_find'))
  expect(finds.length).toBeGreaterThan(4)
  for (const { body } of finds) {
    const { query } = JSON.parse(body) as { query: Record<string, string>[] }
    expect(query.length).toBeGreaterThan(0)
    for (const request of query) expect(request).toMatchObject({ owner: '==user:carol-c' })
    expect(body).not.toContain('omit')
  }
})

test.each([...HOSTILE, ...OPERATORS])(
  'the value %j in ids, filters and data widens nothing',
  async (value) => {
    const [dave, eve] = [await setting.as('dave'), await setting.as('eve')]
    await eve('put', `${records('filemaker', 'notes', 'e')}?upsert=true`, {
      data: { title: value, mine: 'eve' },
    })
    const { body: made } = await dave('post', records('filemaker'), {
      data: { title: value, [value]: value },
    }).expect(201)
    const { id } = made as Item
    const { body } = await dave('get', records('filemaker', 'notes', id)).expect(200)
    expect((body as { data: object }).data).toStrictEqual({ title: value, [value]: value })
    const filter = {
      or: [
        { field: 'data.title', op: 'eq', value },
        { field: 'id', op: 'eq', value },
      ],
    }
    for (const asked of [filter, filter.or[1]]) {
      const found = await dave('post', '/v1/filemaker/collections/notes/query', { filter: asked }).expect(200)
      for (const item of (found.body as { items: Item[] }).items) expect(item.owner).toBe('dave')
    }
    const path = records('filemaker', 'notes', encodeURIComponent(value))
    expect((await dave('get', path)).status).toBeOneOf([400, 404])
    await dave('delete', records('filemaker', 'notes', id)).expect(204)
  },
)

describe('a criterion', () => {
  test('finds what is its text, and nothing else but for what FileMaker compares alike', async () => {
    const stand = await startStand({ t: [{ name: 'x', type: 'text' }] })
    const letters = fc.constantFrom(
      'a',
      'b',
      'B',
      '1',
      ' ',
      ...OPERATORS,
      "'",
      '“',
      '-',
      '.',
      '_',
      '%',
      ':',
      '|',
      '＊',
    )
    const text = fc.array(letters, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''))
    const table = stand.fm.table('t')
    const kept = fc.sample(text, 200)
    for (const x of kept) table.create({ x })
    const property = fc.asyncProperty(fc.oneof(text, fc.constantFrom(...kept)), async (wanted) => {
      const found = await stand.api.find('t', [{ x: exactly(wanted) }], { offset: 1, limit: 1000 })
      const alike = (one: unknown) =>
        String(one).normalize('NFKD').toLowerCase() === wanted.normalize('NFKD').toLowerCase()
      expect(found.length).toBe(kept.filter(alike).length)
      expect(found.every(({ fieldData }) => alike(fieldData.x))).toBe(true)
    })
    await fc.assert(property, { numRuns: 150 })
    await stand.close()
  })

  test('has every operator of FileMaker escaped', () => {
    expect(exactly('a@b')).toBe('==a\\@b')
    expect(exactly('==*"...//?#~!<>≤≥\\')).toBe('==\\=\\=\\*\\"\\.\\.\\.\\/\\/\\?\\#\\~\\!\\<\\>\\≤\\≥\\\\')
  })
})

test('no two owners have one key, whatever FileMaker compares alike', () => {
  const fold = (text: string) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  const keys = USERS.flatMap((owner) =>
    (['user', 'tenant', 'workspace'] as const).map((scope) =>
      ownerKey({ collection: { scope } as never, owner }),
    ),
  )
  expect(new Set(keys.map(fold)).size).toBe(keys.length)
})

test.each([
  [[{ name: 'a', table: 'a', fields: { x: 'Owner' } }], /the FileMaker field Owner is not free/],
  [[{ name: 'a', table: 'a', fields: { x: 't', y: 'T' } }], /the FileMaker field T is not free/],
  [
    [
      { name: 'a', table: 'Notes', fields: {} },
      { name: 'b', table: 'notes', fields: {} },
    ],
    /b and a are in one FileMaker layout/,
  ],
])(
  'a declaration by which a member could say whose a record is stops the start: %j',
  (collections, message) => {
    expect(() => {
      checkDeclared(collections as never)
    }).toThrow(message)
  },
)
