import type { dataStore } from '@waybill/contracts'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createPostgresBackend } from '../src/backends/postgres/backend.ts'
import { afterSql, orderSql } from '../src/backends/postgres/order-sql.ts'
import { ownRows } from '../src/backends/postgres/rows.ts'
import type { SortKey } from '../src/query/query.ts'
import { operationOf, startPostgresSetting, userOf } from './postgres-setting.ts'
import type { PostgresSetting } from './postgres-setting.ts'

let setting: PostgresSetting
beforeAll(async () => {
  setting = await startPostgresSetting()
})
afterAll(() => setting.close())
beforeEach(() => setting.admin('truncate records, audit'))

const alice = operationOf(userOf('alice', { tenantId: 't1' }))
const bob = operationOf(userOf('bob'))
const named = (id: string, data: object) => ({ id, data: { ...data }, name: 'data' })
const create = (
  ids: readonly string[],
  data: object = {},
  onConflict: 'error' | 'replace' = 'error',
  operation = alice,
) =>
  setting.backend.create(
    operation,
    ids.map((id) => named(id, data)),
    { includeVector: false, onConflict },
  )
const all = { field: 'data.n', op: 'is_null' } as const
const audited = () => setting.admin('select outcome, details from audit order by id')

describe('create', () => {
  test('replace gives what is there the next version and leaves when it began; what is not there begins', async () => {
    const [before] = await create(['b'], { a: 1 })
    const after = await create(['c', 'b', 'a'], { a: 2 }, 'replace')
    expect(after.map(({ id, version }) => [id, version])).toEqual([
      ['c', 1],
      ['b', 2],
      ['a', 1],
    ])
    expect(after[1]).toMatchObject({ data: { a: 2 }, created_at: before?.created_at })
  })

  test('error leaves everything as it was when one id is taken, and tells which', async () => {
    await create(['b'], { a: 1 })
    await expect(create(['a', 'b', 'c'])).rejects.toMatchObject({
      code: 'conflict',
      message: /record b in notes/,
    })
    expect(await setting.admin('select id, version from records')).toEqual([{ id: 'b', version: 1 }])
    expect(await audited()).toHaveLength(1)
  })

  test('twenty at once for the same ids, in any order, each replace once', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e']
    const orders = Array.from({ length: 20 }, (_, at) => (at % 2 ? ids : ids.toReversed()))
    await Promise.all(orders.map((order) => create(order, {}, 'replace')))
    expect(await setting.admin('select distinct version from records')).toEqual([{ version: 20 }])
  })

  test("of another owner's is refused by the database, whatever the operation says", async () => {
    const forged = { ...alice, owner: 'bob' }
    await expect(create(['a'], {}, 'replace', forged)).rejects.toMatchObject({ code: '42501' })
    expect(await setting.admin('select 1 from records')).toEqual([])
  })

  test('a text of more words than a tsvector holds is kept, and found by its beginning', async () => {
    const long = Array.from({ length: 300_000 }, (_, at) => `w${String(at)}`).join(' ')
    await create(['long'], { long })
    const found = await setting.backend.search?.(alice, {
      text: 'w17',
      vector: undefined,
      limit: 9,
      includeVector: false,
    })
    expect(found?.map(({ id }) => id)).toEqual(['long'])
  })
})

describe('scopes', () => {
  test('a tenant has its records apart from those of the user, and of other tenants', async () => {
    const tenant = operationOf(alice.principal, 'notes', 'tenant')
    const [record] = await create(['a'], {}, 'error', tenant)
    expect(record?.owner).toBe('t1')
    expect(await setting.backend.read(tenant, 'a')).toEqual(record)
    expect(await setting.backend.read(alice, 'a')).toBeUndefined()
    const colleague = operationOf(userOf('carol', { tenantId: 't1' }), 'notes', 'tenant')
    expect(await setting.backend.read(colleague, 'a')).toEqual(record)
    const others = operationOf(userOf('carol', { tenantId: 't2' }), 'notes', 'tenant', 't1')
    expect(await setting.backend.read(others, 'a')).toBeUndefined()
  })
})

describe('changes of many', () => {
  test('touch what the filter lets through, once each, and audit their ids in the same transaction', async () => {
    await create(['b', 'a'])
    await create(['x'], { n: 1 })
    await create(['a'], {}, 'error', bob)
    const ids = await setting.backend.updateMany(alice, all, ({ data }) => ({ ...data, seen: true }), 2)
    expect(ids).toEqual(['a', 'b'])
    expect(
      await setting.admin(`select owner, id, version from records where data @> '{"seen":true}' order by id`),
    ).toEqual([
      { owner: 'alice', id: 'a', version: 2 },
      { owner: 'alice', id: 'b', version: 2 },
    ])
    expect(await setting.backend.deleteMany(alice, all, 2)).toEqual(['a', 'b'])
    expect(await setting.admin('select owner, id from records order by owner')).toEqual([
      { owner: 'alice', id: 'x' },
      { owner: 'bob', id: 'a' },
    ])
    expect((await audited()).slice(3)).toEqual(
      Array(2).fill({ outcome: 'success', details: { ids: ['a', 'b'], count: 2 } }),
    )
  })

  test('change nothing, and leave no row of success, when there are more than may be', async () => {
    await create(['a', 'b', 'c'])
    const conflict = { code: 'conflict', message: /More than 2 / }
    await expect(setting.backend.updateMany(alice, all, () => ({}), 2)).rejects.toMatchObject(conflict)
    await expect(setting.backend.deleteMany(alice, all, 2)).rejects.toMatchObject(conflict)
    expect(
      await setting.admin('select distinct version, count(*)::int from records group by version'),
    ).toEqual([{ version: 1, count: 3 }])
    expect(await audited()).toHaveLength(1)
  })

  test('change nothing when the data of one do not fit', async () => {
    await create(['a', 'b'])
    const change = ({ id }: { id: string }) => {
      if (id === 'b') throw new Error('does not fit')
      return { changed: true }
    }
    await expect(setting.backend.updateMany(alice, all, change, 9)).rejects.toThrow('does not fit')
    expect(await setting.admin('select distinct version from records')).toEqual([{ version: 1 }])
  })

  test('wait for each other: twenty count one up, and none is lost or deadlocked', async () => {
    await create(['a', 'b', 'c'], { count: 0 })
    const up = ({ data }: { data: Record<string, unknown> }) => ({ count: Number(data.count) + 1 })
    const one = (at: number) =>
      at % 2 ? setting.backend.update(alice, 'b', up) : setting.backend.updateMany(alice, all, up, 9)
    await Promise.all(Array.from({ length: 20 }, (_, at) => one(at)))
    expect(await setting.admin("select id, data->'count' as count from records order by id")).toEqual([
      { id: 'a', count: 10 },
      { id: 'b', count: 20 },
      { id: 'c', count: 10 },
    ])
  })
})

test('reads run READ ONLY, and writes do not', async () => {
  const readOnly: string[] = []
  const watched = createPostgresBackend({
    ...setting.database,
    withPrincipal: (principal, work, options) =>
      setting.database.withPrincipal(
        principal,
        async (tx) => {
          const { rows } = await sql<{
            is: string
          }>`select current_setting('transaction_read_only') as is`.execute(tx)
          readOnly.push(rows[0]?.is ?? '')
          return work(tx)
        },
        options,
      ),
  })
  const order = [{ field: 'id', descending: false }]
  await watched.read(alice, 'a')
  await watched.find(alice, { filter: all, order, after: undefined, limit: 1, includeVector: false })
  await watched.count(alice, all, 'exact')
  await watched.count(alice, all, 'planned')
  await watched.search?.(alice, { text: 'a', vector: undefined, limit: 1, includeVector: false })
  expect(readOnly.splice(0)).toEqual(['on', 'on', 'on', 'on', 'on'])
  await watched.create(alice, [named('a', {})], { includeVector: false, onConflict: 'error' })
  await watched.deleteMany(alice, all, 9)
  expect(readOnly).toEqual(['off', 'off'])
})

describe('search', () => {
  const search = (text: string, operation = alice) =>
    setting.backend
      .search?.(operation, { text, vector: undefined, limit: 10, includeVector: false })
      .then((found) => found.map(({ id }) => id))

  test('finds words wherever they stand, those named oftener first, and never another owner’s', async () => {
    await create(['once'], { title: 'A ship', body: { lines: ['of cargo'] } })
    await create(['twice'], { title: 'Cargo', body: { lines: ['cargo', 'cargo'] }, n: 1 })
    await create(['key'], { cargo: 1 })
    await create(['theirs'], { title: 'cargo' }, 'error', bob)
    expect(await search('CARGO')).toEqual(['twice', 'once'])
    expect(await search('cargo ship')).toEqual(['once'])
    expect(await search('cargo -ship')).toEqual(['twice'])
    expect(await search('"of cargo" or nothing')).toEqual(['once'])
  })

  test.each([
    "'",
    '"',
    '"unclosed',
    '!',
    '& | !',
    ':*',
    '\\',
    '\0',
    'cargo\0ship',
    '-',
    '<->',
    '\ud800',
    '('.repeat(500),
  ])('a hostile text finds nothing that is not there: %j', async (text) => {
    await create(['theirs'], { title: 'cargo ship' }, 'error', bob)
    expect(await search(text)).toEqual([])
  })
})

describe('plans', () => {
  beforeEach(async () => {
    await setting.admin(`
      insert into records (scope, owner, collection, id, data, created_at, updated_at)
      select 'user', 'user-' || n % 20, 'notes', n::text, '{}', time, time
      from generate_series(1, 6000) n, lateral (select timestamptz '2026-11-25T10:00:00Z' + n * interval '1 ms') as at (time)`)
    await setting.admin('vacuum analyze records')
  })
  const user = operationOf(userOf('user-7'))
  const keys = (...fields: string[]): SortKey[] =>
    fields.map((field) => ({ field: field.replace('-', ''), descending: field.startsWith('-') }))

  test.each([
    { order: keys('id'), index: 'records_pkey', sorts: false },
    { order: keys('-id'), index: 'records_pkey', sorts: false },
    { order: keys('-updated_at', 'id'), index: 'records_updated', sorts: false },
    { order: keys('-created_at', 'id'), index: 'records_created', sorts: false },
    { order: keys('created_at', 'id'), index: 'records_created', sorts: true },
  ])(
    'a page after a position, by $order.0.field (descending: $order.0.descending), begins in $index',
    async ({ order, index, sorts }) => {
      const time = '2026-11-25T10:00:03.000Z'
      const position = order.map(({ field }) => [1, field === 'id' ? '7' : time] as [1, string])
      const plan = await setting.database.withPrincipal(user.principal, async (tx) => {
        const { rows } = await sql<{ 'QUERY PLAN': string }>`
          explain select id, data from records where ${ownRows(user)} and ${afterSql(order, position)}
          order by ${orderSql(order)} limit 20`.execute(tx)
        return rows.map((row) => row['QUERY PLAN']).join('\n')
      })
      expect(plan).toMatch(new RegExp(`Index Scan.* using ${index}`))
      expect(plan).toMatch(/Index Cond: .*(id|_at|ROW\(.*\)) [<>]/)
      expect(plan.match(/\S+ Sort\b/g) ?? []).toEqual(sorts ? ['Incremental Sort'] : [])
    },
  )

  test('a planned count is of the owner’s rows, to PLANNED_COUNT_CEILING, and what others write does not change it', async () => {
    const filter: dataStore.Filter = { field: 'id', op: 'ge', value: '0' }
    const bob = operationOf(userOf('bob'))
    expect(await setting.backend.count(bob, filter, 'planned')).toBe(0)
    expect(await setting.backend.count(user, filter, 'planned')).toBe(300)
    await setting.admin(`insert into records (scope, owner, collection, id, data)
      select 'user', 'user-7', 'notes', 'more' || n, '{}' from generate_series(1, 900) as n; analyze records`)
    expect(await setting.backend.count(bob, filter, 'planned')).toBe(0)
    expect(await setting.backend.count(user, undefined, 'planned')).toBe(1_000)
    expect(await setting.backend.count(user, undefined, 'exact')).toBe(1_200)
  })
})
