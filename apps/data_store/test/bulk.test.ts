import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BACKENDS, dataFor, HOSTILE, records, startSetting } from './setting.ts'
import type { Client, Setting } from './setting.ts'

const MAX_RECORDS = 20
const BODY_LIMIT = 64 * 1024

let setting: Setting
let alice: Client
let bob: Client
let collection: string
let count = 0

beforeAll(async () => {
  setting = await startSetting({
    RECORD_MAX_BYTES: '4096',
    BODY_LIMIT_BYTES: '4096',
    BULK_MAX_RECORDS: String(MAX_RECORDS),
    BULK_BODY_LIMIT_BYTES: String(BODY_LIMIT),
  })
  alice = await setting.as('alice', { act: { sub: 'llm-proxy' } })
  bob = await setting.as('bob')
})
beforeEach(async () => {
  count += 1
  collection = `bulk-${String(count)}`
  await setting.admin('truncate audit')
})
afterAll(() => setting.close())

interface Item {
  id: string
  owner: string
  version: number
  data: Record<string, unknown>
}
const items = (response: { body: unknown }) => (response.body as { items: Item[] }).items
const ids = (response: { body: unknown }) => items(response).map(({ id }) => id)

describe.each(BACKENDS)('many records at once in %s', (backend) => {
  const path = (id?: string) => records(backend, collection, id)
  const bulk = (client: Client, given: unknown) =>
    client('post', `${path()}/bulk`, typeof given === 'string' ? given : { records: given })
  const record = (id: string | undefined, more: object = {}) => ({ id, data: dataFor(backend, more) })
  const kept = async (client: Client = alice) => ids(await client('get', path()).expect(200))

  test('are given back in their order, each with its id and without its vector, and kept whole', async () => {
    const given = [record('b', { n: 1 }), record(undefined, { n: 2 }), record('a', { n: 3 })]
    const created = items(await bulk(alice, given).expect(201))
    expect(created.map(({ id }) => id)).toEqual(['b', expect.stringMatching(/^[0-9a-f-]{36}$/), 'a'])
    expect(created.map(({ data }) => data)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
    expect(created.every(({ owner, version }) => owner === 'alice' && version === 1)).toBe(true)
    for (const [at, { id, data, ...rest }] of created.entries()) {
      const { body } = await alice('get', path(id)).expect(200)
      expect(body).toEqual({ ...rest, id, data: given[at]!.data })
      if (backend === 'lancedb') expect(data).not.toHaveProperty('vector')
    }
    expect((await kept()).sort()).toEqual(created.map(({ id }) => id).sort())
  })

  test('none is kept when one of the ids is taken already, and the answer names it', async () => {
    await alice('post', path(), record('known', { n: 1 })).expect(201)
    const refused = await bulk(alice, [record('new-1'), record('known', { n: 2 }), record('new-2')]).expect(
      409,
    )
    expect(refused.body).toMatchObject({
      code: 'conflict',
      detail: `You have a record known in ${collection} already.`,
    })
    expect(await kept()).toEqual(['known'])
    expect((await alice('get', path('known'))).body).toMatchObject({ data: { n: 1 } })
  })

  test('none is kept when an id stands twice in the request, and the answer names it', async () => {
    const refused = await bulk(alice, [record('one'), record('same'), record('two'), record('same')]).expect(
      409,
    )
    expect(refused.body).toMatchObject({
      code: 'conflict',
      detail: 'The id same stands twice in the request.',
    })
    expect(await kept()).toEqual([])
  })

  test('requests for the same ids at the same time: one gets all of them, the others none', async () => {
    const names = Array.from({ length: 12 }, (_, n) => `raced-${String(n)}`)
    const racers = Array.from({ length: 6 }, (_, racer) => {
      const order = racer % 2 === 0 ? names : names.toReversed()
      return bulk(alice, [record(`own-${String(racer)}`), ...order.map((id) => record(id, { racer }))])
    })
    const answers = await Promise.all(racers)
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409])
    const winner = answers.findIndex(({ status }) => status === 201)
    expect((await kept()).sort()).toEqual([`own-${String(winner)}`, ...names].sort())
  })

  describe('none is kept when one of them is bad, and the answer says which', () => {
    const cases: [string, (good: object) => unknown, number, RegExp][] = [
      ['no data', (good) => [good, { id: 'x' }], 400, /^body\.records\.1\.data: /],
      ['an owner', (good) => [good, good, { data: {}, owner: 'bob' }], 400, /^body\.records\.2: .*owner/],
      ['an id that is none', (good) => [good, { id: 'a/b', data: {} }], 400, /^body\.records\.1\.id: /],
      ['no object', (good) => [good, null], 400, /^body\.records\.1: /],
      [
        'NUL in a text',
        (good) => [good, record('x', { text: 'a\0b' })],
        422,
        /^records\[1\]\.data\.text contains/,
      ],
      [
        'too much data',
        (good) => [good, record('x', { text: 'x'.repeat(5000) })],
        413,
        /^records\[1\]\.data is \d+/,
      ],
    ]
    test.each(cases)('%s', async (_, given, status, detail) => {
      const good = { data: dataFor(backend) }
      const refused = await bulk(alice, given(good)).expect(status)
      expect((refused.body as { detail: string }).detail).toMatch(detail)
      expect(await kept()).toEqual([])
    })
  })

  describe('limits', () => {
    const many = (length: number) =>
      Array.from({ length }, (_, n) => record(`r${String(n).padStart(2, '0')}`))

    test('as many as BULK_MAX_RECORDS are taken, one more is refused', async () => {
      const refused = await bulk(alice, many(MAX_RECORDS + 1)).expect(413)
      expect(refused.body).toMatchObject({
        code: 'payload_too_large',
        detail: 'records has 21 entries; 20 is the most of one request (BULK_MAX_RECORDS).',
      })
      expect(await kept()).toEqual([])
      expect(ids(await bulk(alice, many(MAX_RECORDS)).expect(201))).toHaveLength(MAX_RECORDS)
      expect(await kept()).toHaveLength(MAX_RECORDS)
    })

    test('a body may be larger than that of other routes, but not than BULK_BODY_LIMIT_BYTES', async () => {
      const large = many(MAX_RECORDS).map(({ id }) => record(id, { text: 'x'.repeat(3000) }))
      await bulk(alice, large).expect(201)
      await bulk(alice, [record('x', { text: 'x'.repeat(BODY_LIMIT) })]).expect(413)
    })

    test.each([
      ['no record', '{"records":[]}'],
      ['no records', '{}'],
      ['one record that is not in a list', '{"records":{"data":{}}}'],
      ['members beside them', '{"records":[{"data":{}}],"owner":"bob"}'],
      ['more entries than any setting allows', `{"records":[${'1,'.repeat(10_000)}1]}`],
    ])('%s is refused with one error', async (_, body) => {
      const { errors } = (await bulk(alice, body).expect(400)).body as { errors: unknown[] }
      expect(errors).toHaveLength(1)
      expect(await kept()).toEqual([])
    })
  })

  test('ids that other users have are free, and what is theirs stays theirs', async () => {
    await bulk(bob, [record('a', { whose: 'bob' }), record('b', { whose: 'bob' })]).expect(201)
    await bulk(alice, [record('b', { whose: 'alice' }), record('c', { whose: 'alice' })]).expect(201)
    expect([await kept(), await kept(bob)]).toEqual([
      ['b', 'c'],
      ['a', 'b'],
    ])
    expect((await alice('get', path('b'))).body).toMatchObject({ owner: 'alice', data: { whose: 'alice' } })
    expect((await bob('get', path('b'))).body).toMatchObject({ owner: 'bob', data: { whose: 'bob' } })
    await alice('get', path('a')).expect(404)
  })

  test('a user with a hostile id creates records of their own only', async () => {
    await bulk(alice, [record('a'), record('b')]).expect(201)
    for (const userId of HOSTILE) {
      const client = await setting.as(userId)
      const created = items(await bulk(client, [record('a'), record('b')]).expect(201))
      expect(created.map(({ owner }) => owner)).toEqual([userId, userId])
      await bulk(client, [record('c'), record('b')]).expect(409)
      expect(await kept(client)).toEqual(['a', 'b'])
    }
    expect(await kept()).toEqual(['a', 'b'])
  })

  test.each(HOSTILE)('a hostile id among them is refused: %s', async (id) => {
    await bulk(alice, [record('a'), record(id)]).expect(400)
    expect(await kept()).toEqual([])
  })

  test('a record may still be called bulk', async () => {
    await bulk(alice, [record('bulk')]).expect(201)
    await alice('get', path('bulk')).expect(200)
    await alice('delete', path('bulk')).expect(204)
  })

  describe('in the audit', () => {
    const trail = async () =>
      setting.admin('select actor, on_behalf_of, action, resource, outcome, details from audit order by id')
    const who = { actor: 'service:llm-proxy', on_behalf_of: 'user:alice' }
    const intent = (details: object) =>
      backend === 'lancedb' ? [{ ...what(), outcome: 'intent', details }] : []
    const what = () => ({ ...who, action: 'record.create', resource: `${backend}/${collection}` })

    test('they are one row with every id, in LanceDB with one intent before it', async () => {
      const created = ids(await bulk(alice, [record('b'), record(undefined), record('a')]).expect(201))
      const details = { ids: created }
      expect(await trail()).toEqual([...intent(details), { ...what(), outcome: 'success', details }])
    })

    test('a refusal is one row with the ids that were asked for', async () => {
      await alice('post', path(), record('known')).expect(201)
      await setting.admin('truncate audit')
      await bulk(alice, [record('x'), record('known')]).expect(409)
      const details = { ids: ['x', 'known'] }
      expect(await trail()).toEqual([
        ...intent(details),
        { ...what(), outcome: 'failure', details: { ...details, code: 'conflict' } },
      ])
    })

    test('what cannot be audited is not written', async () => {
      await setting.admin('revoke insert on audit from data_store_user')
      await bulk(alice, [record('a'), record('b')]).expect(500)
      await setting.admin('grant insert on audit to data_store_user')
      expect(await kept()).toEqual([])
    })
  })
})

test('two requests for the same ids in opposite order wait for each other in Postgres, and never in a circle', async () => {
  const path = `${records('postgres', collection)}/bulk`
  const create = (...given: string[]) =>
    alice('post', path, { records: given.map((id) => ({ id, data: {} })) })
  const waiting = async () => (await setting.admin('select from pg_locks where not granted')).length
  // Both are held up at the id in the middle, with whatever they have taken before it.
  await setting.admin('begin')
  await setting.admin(
    `insert into records (owner, collection, id, data) values ('alice', '${collection}', 'm', '{}')`,
  )
  const answers = Promise.all([create('a', 'm', 'z'), create('z', 'm', 'a')])
  await expect.poll(waiting).toBe(2)
  await setting.admin('rollback')
  expect((await answers).map(({ status }) => status).sort()).toEqual([201, 409])
})

describe('vectors of many records at once', () => {
  const bulk = (...vectors: unknown[]) =>
    alice('post', `${records('lancedb', collection)}/bulk`, {
      records: vectors.map((vector, at) => ({ id: `v${String(at)}`, data: { vector } })),
    })
  const detail = (response: { body: unknown }) => (response.body as { detail: string }).detail

  test('one that is none is named by its place', async () => {
    expect(detail(await bulk([1, 0], [1, null]).expect(422))).toMatch(
      /^records\[1\]\.data\.vector\[1\] must be/,
    )
    expect(detail(await bulk([1, 0], [0, 0]).expect(422))).toMatch(
      /^records\[1\]\.data\.vector has no direction/,
    )
    expect(detail(await bulk([1, 0], undefined).expect(422))).toMatch(/^records\[1\]\.data\.vector must be/)
  })

  test('all must have one length, and it must be that of the records before', async () => {
    expect(detail(await bulk([1, 0], [1, 0], [1, 0, 0]).expect(422))).toBe(
      'records[2].data.vector has 3 numbers; records[0].data.vector has 2 numbers.',
    )
    await bulk([1, 0], [0, 1]).expect(201)
    expect(detail(await bulk([1, 0, 0]).expect(422))).toBe(
      `records[0].data.vector has 3 numbers; the vectors of your records in ${collection} have 2.`,
    )
  })

  test('are all found by a search', async () => {
    await bulk([1, 0], [0, 1], [1, 1]).expect(201)
    const search = { vector: [1, 0.1], limit: 2 }
    const found = await alice('post', `/v1/lancedb/collections/${collection}/search`, search).expect(200)
    expect(ids(found)).toEqual(['v0', 'v2'])
  })
})
