import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { records, startSetting } from './setting.ts'
import type { Client, Setting } from './setting.ts'

let setting: Setting
let alice: Client
let collection: string
let count = 0

beforeAll(async () => {
  setting = await startSetting()
  alice = await setting.as('alice')
})
beforeEach(() => {
  count += 1
  collection = `vectors-${String(count)}`
})
afterAll(() => setting.close())

const path = (id?: string) => records('lancedb', collection, id)
const search = (body: object) => alice('post', `/v1/lancedb/collections/${collection}/search`, body)
const detail = (response: { body: unknown }) => (response.body as { detail: string }).detail

describe('the vector of a record in lancedb', () => {
  test('changes with it, keeps its length, and cannot be taken out', async () => {
    await alice('post', path(), { id: 'a', data: { vector: [1, 0], n: 1 } }).expect(201)
    await alice('patch', path('a'), { data: { vector: [0.1, 0.7] } }).expect(200)
    await alice('put', path('a'), { data: { vector: [1, 0, 0] } }).expect(422)
    await alice('put', path('a'), { data: { n: 2 } }).expect(422)
    await alice('patch', path('a'), { data: { vector: null } }).expect(422)
    await alice('patch', path('a'), { data: { vector: [0, 0] } }).expect(422)
    const { body } = await alice('get', path('a')).expect(200)
    expect(body).toMatchObject({ version: 2, data: { n: 1, vector: [0.1, 0.7] } })
    const found = await search({ vector: [0.1, 0.7] })
    expect(found.body).toMatchObject({ items: [{ id: 'a', version: 2 }] })
  })

  test('is left out of lists, queries and bulk answers unless it is asked for', async () => {
    const data = { n: 1, vector: [1, 0] }
    const bulk = await alice('post', `${path()}/bulk`, { records: [{ id: 'a', data }] }).expect(201)
    expect(bulk.body).toMatchObject({ items: [{ data: { n: 1 } }] })
    const query = `/v1/lancedb/collections/${collection}/query`
    const dataOf = ({ body }: { body: unknown }) => (body as { items: { data: object }[] }).items[0]?.data
    expect(dataOf(bulk)).toEqual({ n: 1 })
    expect(dataOf(await alice('get', path()).expect(200))).toEqual({ n: 1 })
    expect(dataOf(await alice('post', query, {}).expect(200))).toEqual({ n: 1 })
    expect(dataOf(await alice('post', query, { include_vector: true }).expect(200))).toEqual(data)
    const selected = { include_vector: true, select: ['data.vector'] }
    expect(dataOf(await alice('post', query, selected).expect(200))).toEqual({ vector: [1, 0] })
  })
})

describe('vectors of many records at once', () => {
  const bulk = (...vectors: unknown[]) =>
    alice('post', `${path()}/bulk`, {
      records: vectors.map((vector, at) => ({ id: `v${String(at)}`, data: { vector } })),
    })

  test('one that is none is named by its place', async () => {
    const refused = async (...vectors: unknown[]) => detail(await bulk(...vectors).expect(422))
    expect(await refused([1, 0], [1, null])).toMatch(/^records\[1\]\.data\.vector\[1\] must be/)
    expect(await refused([1, 0], [0, 0])).toMatch(/^records\[1\]\.data\.vector has no direction/)
    expect(await refused([1, 0], 'x')).toMatch(/^records\[1\]\.data\.vector must be/)
  })

  test('all must have one length, and it must be that of the records before', async () => {
    expect(detail(await bulk([1, 0], [1, 0], [1, 0, 0]).expect(422))).toContain(
      'records[2].data.vector has 3',
    )
    await bulk([1, 0], [0, 1]).expect(201)
    expect(detail(await bulk([1, 0, 0]).expect(422))).toContain('records[0].data.vector has 3')
  })

  test('are all found by a search', async () => {
    await bulk([1, 0], [0, 1], [1, 1]).expect(201)
    const { body } = await search({ vector: [1, 0.1], limit: 2 }).expect(200)
    expect((body as { items: { id: string }[] }).items.map(({ id }) => id)).toEqual(['v0', 'v2'])
  })
})
