import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { records, startSetting } from './setting.ts'
import type { Client, Setting } from './setting.ts'

let setting: Setting
let alice: Client
let bob: Client
let collection: string
let count = 0

beforeAll(async () => {
  setting = await startSetting({ VECTOR_MAX_DIMENSIONS: '8' })
  alice = await setting.as('alice')
  bob = await setting.as('bob')
})
beforeEach(() => {
  count += 1
  collection = `vectors-${String(count)}`
})
afterAll(() => setting.close())

const path = (id?: string) => records('lancedb', collection, id)
const searchPath = (backend = 'lancedb') => `/v1/${backend}/collections/${collection}/search`
const add = (client: Client, id: string, vector: unknown, more = {}) =>
  client('post', path(), { id, data: { text: id, vector, ...more } })
const items = (response: { body: unknown }) =>
  (response.body as { items: { id: string; score: number; owner: string; data: Record<string, unknown> }[] })
    .items

describe('search by vector', () => {
  test('finds the nearest first, scored by cosine similarity', async () => {
    await add(alice, 'same', [2, 0, 0]).expect(201)
    await add(alice, 'near', [1, 1, 0]).expect(201)
    await add(alice, 'across', [0, 1, 0]).expect(201)
    await add(alice, 'opposite', [-1, 0, 0]).expect(201)
    const found = items(await alice('post', searchPath(), { vector: [1, 0, 0] }).expect(200))
    expect(found.map(({ id }) => id)).toEqual(['same', 'near', 'across', 'opposite'])
    for (const [at, score] of [1, Math.SQRT1_2, 0, -1].entries())
      expect(found[at]!.score).toBeCloseTo(score, 5)
  })

  test('finds the caller’s own records only, however near another’s are', async () => {
    await add(bob, 'exact', [1, 0, 0]).expect(201)
    await add(alice, 'far', [0, 0, 1]).expect(201)
    const found = items(await alice('post', searchPath(), { vector: [1, 0, 0], limit: 1 }).expect(200))
    expect(found).toMatchObject([{ id: 'far', owner: 'alice' }])
  })

  test('answers without vectors unless asked', async () => {
    await add(alice, 'a', [0.1, 0.2, 0.3]).expect(201)
    const [plain] = items(await alice('post', searchPath(), { vector: [1, 0, 0] }))
    expect(plain!.data).toEqual({ text: 'a' })
    const [full] = items(await alice('post', searchPath(), { vector: [1, 0, 0], include_vector: true }))
    expect(full!.data).toEqual({ text: 'a', vector: [0.1, 0.2, 0.3] })
    const [listed] = items(await alice('get', path()))
    expect(listed!.data).toEqual({ text: 'a' })
    const [whole] = items(await alice('get', `${path()}?include_vector=true`))
    expect(whole!.data).toEqual({ text: 'a', vector: [0.1, 0.2, 0.3] })
  })

  test('a collection that the caller has never written to is empty, even if others have', async () => {
    await add(bob, 'b', [1, 0, 0]).expect(201)
    expect(items(await alice('post', searchPath(), { vector: [1, 2] }).expect(200))).toEqual([])
  })

  test('a deleted record is not found any more', async () => {
    await add(alice, 'a', [1, 0, 0]).expect(201)
    await alice('delete', path('a')).expect(204)
    expect(items(await alice('post', searchPath(), { vector: [1, 0, 0] }))).toEqual([])
  })

  test('limits what it gives', async () => {
    for (const id of ['a', 'b', 'c']) await add(alice, id, [1, 0, 0]).expect(201)
    expect(items(await alice('post', searchPath(), { vector: [1, 0, 0], limit: 2 }))).toHaveLength(2)
  })
})

describe('search by text', () => {
  test.each(['postgres', 'lancedb'])(
    'finds the caller’s own records with all the words, in %s',
    async (backend) => {
      const put = (client: Client, id: string, text: string) =>
        client('post', records(backend, collection), { id, data: { list: [{ text }] } }).expect(201)
      await put(bob, 'b', 'red apples')
      await put(alice, 'a', 'Red and green apples')
      await put(alice, 'c', 'red pears')
      const search = (text: string) => alice('post', searchPath(backend), { text, limit: 1 }).expect(200)
      expect(items(await search('apples RED'))).toMatchObject([{ id: 'a', owner: 'alice' }])
      expect(items(await search('blue apples'))).toEqual([])
      expect(items(await search("x') or true --"))).toEqual([])
    },
  )

  test('scores a word alike in all that score, by the caller’s records alone', async () => {
    const scores = []
    for (const backend of ['postgres', 'lancedb']) {
      const put = (client: Client, id: string, text: string) =>
        client('post', records(backend, collection), { id, data: { text } }).expect(201)
      await put(alice, 'a', 'one apple')
      await put(alice, 'b', 'an apple, an apple and an APPLE')
      for (let n = 0; n < 9; n += 1) await put(bob, `b${String(n)}`, 'apple')
      const found = items(await alice('post', searchPath(backend), { text: 'apple' }).expect(200))
      expect(found.map(({ id }) => id)).toEqual(['b', 'a'])
      scores.push(found.map(({ score }) => score.toFixed(5)))
    }
    expect(scores[0]).toEqual(scores[1])
  })

  test('joins with search by vector; a collection without vectors says so', async () => {
    await add(alice, 'words', [0, 1, 0], { more: 'apple' })
    await add(alice, 'near', [1, 0, 0])
    const found = items(await alice('post', searchPath(), { text: 'apple', vector: [1, 0, 0] }).expect(200))
    expect(found.map(({ id }) => id)).toEqual(['words', 'near'])
    await bob('post', path(), { data: { text: 'apple' } }).expect(201)
    const refused = await bob('post', searchPath(), { text: 'apple', vector: [1, 0, 0] }).expect(422)
    expect(refused.body).toMatchObject({
      detail: `vector has 3 numbers; your records in ${collection} have no vectors.`,
    })
  })

  test.each([{ vector: [1] }, { text: 'a', vector: [1] }])('postgres has no search with %o', async (body) => {
    const response = await alice('post', searchPath('postgres'), body).expect(501)
    expect(response.body).toMatchObject({ code: 'not_implemented' })
  })
})

describe('the length of vectors', () => {
  test('is fixed by a user’s first record of a collection, and the error says what is wrong', async () => {
    await add(alice, 'a', [1, 0, 0]).expect(201)
    const write = await add(alice, 'b', [1, 0]).expect(422)
    expect(write.body).toMatchObject({
      code: 'unprocessable',
      detail: `data.vector has 2 numbers; the vectors of your records in ${collection} have 3.`,
    })
    const search = await alice('post', searchPath(), { vector: [1, 0] }).expect(422)
    expect(search.body).toMatchObject({
      detail: `vector has 2 numbers; the vectors of your records in ${collection} have 3.`,
    })
  })

  test('is a matter of each user: nobody fixes it for others', async () => {
    await add(bob, 'b', [1]).expect(201)
    await add(alice, 'a', [1, 0, 0]).expect(201)
    expect(items(await bob('post', searchPath(), { vector: [1] })).map(({ id }) => id)).toEqual(['b'])
    expect(items(await alice('post', searchPath(), { vector: [1, 0, 0] })).map(({ id }) => id)).toEqual(['a'])
  })

  test('is free again when nothing is left', async () => {
    await add(alice, 'a', [1, 0, 0]).expect(201)
    await alice('delete', path('a')).expect(204)
    await add(alice, 'a', [1, 0]).expect(201)
    expect((await alice('get', path('a')).expect(200)).body).toMatchObject({ data: { vector: [1, 0] } })
  })
})

describe('a vector that is none is refused and leaves nothing behind', () => {
  const bad: [string, unknown][] = [
    ['null', null],
    ['text', '1,2,3'],
    ['empty', []],
    ['text in it', [1, '2', 3]],
    ['null in it', [1, null, 3]],
    ['a list in it', [1, [2], 3]],
    ['true in it', [1, true, 3]],
    ['an object', { 0: 1, length: 1 }],
    ['all 0', [0, 0, 0]],
    ['as good as 0', [1e-30, 0, 0]],
    ['too large', [1e30, 0, 0]],
    ['too long', [1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ]
  test.each(bad)('%s', async (_, vector) => {
    const response = await add(alice, 'x', vector).expect(422)
    expect(response.body).toMatchObject({
      code: 'unprocessable',
      detail: expect.stringContaining('data.vector') as string,
    })
    expect(items(await alice('get', path()))).toEqual([])
    const search = await alice('post', searchPath(), { vector })
    expect([400, 422]).toContain(search.status)
  })

  test('NaN and Infinity, as far as JSON can say them', async () => {
    for (const text of ['NaN', '1e999', '-1e999']) {
      const response = await alice('post', path(), `{"data":{"vector":[1,${text}]}}`)
      expect([400, 422]).toContain(response.status)
      const search = await alice('post', searchPath(), `{"vector":[1,${text}]}`)
      expect([400, 422]).toContain(search.status)
    }
  })

  test.each([{ limit: 0 }, { limit: 101 }, { where: 'true' }, { filter: {} }, { limit: '5' }])(
    'a search with %o is refused',
    async (more) => {
      await alice('post', searchPath(), { vector: [1], ...more }).expect(400)
    },
  )
})
