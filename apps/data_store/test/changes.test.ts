import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BACKENDS, dataFor, HOSTILE, records, startSetting } from './setting.ts'
import type { Client, Setting } from './setting.ts'

let setting: Setting
let alice: Client
let bob: Client
let collection: string
let count = 0

beforeAll(async () => {
  setting = await startSetting({
    RECORD_MAX_BYTES: '4096',
    RECORD_MAX_DEPTH: '8',
    REQUIRE_IF_MATCH_COLLECTIONS: BACKENDS.map((backend) => `${backend}/strict`).join(),
  })
  alice = await setting.as('alice')
  bob = await setting.as('bob')
})
beforeEach(() => {
  count += 1
  collection = `notes-${String(count)}`
})
afterAll(() => setting.close())

interface Answer {
  version: number
  data: Record<string, unknown>
  updated_at: string
}
const CHANGES = ['put', 'patch'] as const
const WRITES = ['put', 'patch', 'delete'] as const

describe.each(BACKENDS)('changes of a record in %s', (backend) => {
  const path = (id = 'a') => records(backend, collection, id)
  const data = (more: object = {}) => dataFor(backend, more)
  const create = async (more: object = {}, id = 'a') => {
    const { body } = await alice('post', records(backend, collection), { id, data: data(more) }).expect(201)
    return body as Answer
  }
  const stored = async (id = 'a') => (await alice('get', path(id)).expect(200)).body as Answer
  const write = (client: Client, method: (typeof WRITES)[number], more: object = {}, at = path()) =>
    client(method, at, method === 'delete' ? undefined : { data: data(more) })

  test('PUT replaces the data, and nothing else but version and updated_at', async () => {
    const created = await create({ text: 'old', gone: 1 })
    const replaced = await alice('put', path(), { data: data({ text: 'new' }) }).expect(200)
    const { updated_at } = replaced.body as Answer
    expect(replaced.body).toEqual({ ...created, data: data({ text: 'new' }), version: 2, updated_at })
    expect(updated_at >= created.updated_at).toBe(true)
    expect(replaced.headers.etag).toBe('"2"')
    expect(await stored()).toEqual(replaced.body)
  })

  test('PATCH merges: null takes out, objects are merged, arrays replaced (RFC 7396)', async () => {
    const created = await create({ text: 'old', gone: 1, deep: { kept: 1, gone: 2 }, list: [1, 2, 3] })
    const patch = { text: 'new', gone: null, deep: { gone: null, more: [null] }, list: [4] }
    const patched = await alice('patch', path(), { data: patch }).expect(200)
    const { updated_at } = patched.body as Answer
    const merged = data({ text: 'new', deep: { kept: 1, more: [null] }, list: [4] })
    expect(patched.body).toEqual({ ...created, data: merged, version: 2, updated_at })
    expect(patched.headers.etag).toBe('"2"')
    expect(await stored()).toEqual(patched.body)
  })

  test.each(WRITES)('%s of what is not there is 404, and makes nothing', async (method) => {
    for (const condition of [{}, { 'If-Match': '*' }, { 'If-Match': '"1"' }]) {
      await write(alice, method).set(condition).expect(404)
    }
    await create({}, 'another')
    await write(alice, method).expect(404)
    await alice('get', path()).expect(404)
  })

  test.each(WRITES)('%s of another user’s record answers as for one that is not there', async (method) => {
    await create({ whose: 'alice' })
    for (const condition of [{}, { 'If-Match': '*' }, { 'If-Match': '"1"' }, { 'If-Match': '"9"' }]) {
      const [foreign, absent] = await Promise.all([
        write(bob, method).set(condition).expect(404),
        write(bob, method, {}, path('b')).set(condition).expect(404),
      ])
      expect((foreign.body as { detail: string }).detail.replace(' a ', ' b ')).toBe(
        (absent.body as { detail: string }).detail,
      )
    }
    expect(await stored()).toMatchObject({ version: 1, data: { whose: 'alice' } })
  })

  describe('If-Match', () => {
    test.each(WRITES)('%s happens when one of the tags is the record’s, or with *', async (method) => {
      for (const condition of ['"1"', '"7", "1"', '*']) {
        await create()
        await write(alice, method)
          .set('If-Match', condition)
          .expect(method === 'delete' ? 204 : 200)
        if (method !== 'delete') await alice('delete', path()).set('If-Match', '"2"').expect(204)
      }
    })

    test.each(WRITES)('%s is 412 when none is, and changes nothing', async (method) => {
      const created = await create()
      for (const condition of ['"2"', 'W/"1"', '"2", "3"', '""']) {
        const refused = await write(alice, method).set('If-Match', condition).expect(412)
        expect(refused.body).toMatchObject({ code: 'precondition_failed' })
      }
      expect(await stored()).toEqual(created)
    })

    test.each(WRITES)('%s is 400 when it is malformed', async (method) => {
      await create()
      for (const condition of ['1', '"1', '*, "1"', "\"1\" OR '1'='1'"]) {
        await write(alice, method).set('If-Match', condition).expect(400)
      }
      expect(await stored()).toMatchObject({ version: 1 })
    })

    test.each(WRITES)('of 20 concurrent %s with one tag exactly one wins', async (method) => {
      await create()
      const racers = Array.from({ length: 20 }, (_, n) =>
        write(alice, method, { winner: n }).set('If-Match', '"1"'),
      )
      const answers = await Promise.all(racers)
      const won = answers.filter(({ status }) => status < 300)
      expect(won).toHaveLength(1)
      const refused = method === 'delete' ? 404 : 412
      expect(new Set(answers.filter(({ status }) => status >= 300).map(({ status }) => status))).toEqual(
        new Set([refused]),
      )
      if (method !== 'delete') expect(await stored()).toEqual(won[0]!.body)
    })

    test.each(WRITES)('without it %s is 428 where the collection requires it', async (method) => {
      const at = records(backend, 'strict', `r-${method}`)
      await alice('post', records(backend, 'strict'), { id: `r-${method}`, data: data() }).expect(201)
      const refused = await write(alice, method, {}, at).expect(428)
      expect(refused.body).toMatchObject({ code: 'precondition_required' })
      await write(bob, method, {}, at).expect(428)
      await write(bob, method, {}, at).set('If-Match', '*').expect(404)
      await write(alice, method, {}, at)
        .set('If-Match', '"1"')
        .expect(method === 'delete' ? 204 : 200)
    })
  })

  test('concurrent patches without If-Match are all there in the end, one version each', async () => {
    await create()
    const patches = Array.from({ length: 12 }, (_, n) =>
      alice('patch', path(), { data: { [`by${String(n)}`]: n } }).expect(200),
    )
    const versions = (await Promise.all(patches)).map(({ body }) => (body as Answer).version)
    expect(versions.sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, n) => n + 2))
    const all = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`by${String(n)}`, n]))
    expect(await stored()).toMatchObject({ version: 13, data: data(all) })
  })

  test('who reads meanwhile finds the record once and whole, whichever version', async () => {
    await create({ n: 0, again: 0 })
    const progress = { isOver: false }
    const writes = async () => {
      for (let n = 1; n <= 15; n += 1) {
        await alice('put', path(), { data: data({ n, again: n }) }).expect(200)
      }
    }
    const writer = writes().finally(() => {
      progress.isOver = true
    })
    const seen: Answer[][] = []
    do {
      const { body } = await alice('get', records(backend, collection)).expect(200)
      seen.push((body as { items: Answer[] }).items)
    } while (!progress.isOver)
    for (const items of seen) {
      expect(items).toHaveLength(1)
      const { version, data: found } = items[0]!
      expect(found).toMatchObject({ n: version - 1, again: version - 1 })
    }
    await writer
  })

  describe.each(CHANGES)('bad input to %s is named and changes nothing', (method) => {
    const bodies: [string, () => unknown, number][] = [
      ['no data', () => ({}), 400],
      ['data that is null', () => ({ data: null }), 400],
      ['data that is an array', () => ({ data: [] }), 400],
      ['another owner', () => ({ data: data(), owner: 'bob' }), 400],
      ['another version', () => ({ data: data(), version: 7 }), 400],
      ['another id', () => ({ id: 'b', data: data() }), 400],
      ['too much data', () => ({ data: data({ text: 'ü'.repeat(2048) }) }), 413],
      ['data nested too deep', () => ({ data: data({ a: [[[[[[[[]]]]]]]] }) }), 422],
      ['half a surrogate pair', () => ({ data: data({ text: '\ud800' }) }), 422],
      ['NUL in a name', () => ({ data: data({ 'a\0b': 1 }) }), 422],
    ]
    test.each(bodies)('%s', async (_, body, status) => {
      const created = await create()
      const refused = await alice(method, path(), body() as object).expect(status)
      expect(refused.headers['content-type']).toContain('application/problem+json')
      expect(await stored()).toEqual(created)
    })

    test('nesting that would overflow a stack', async () => {
      const created = await create()
      const deep = '{"a":'.repeat(5e4) + '1' + '}'.repeat(5e4)
      const { status } = await alice(method, path(), `{"data":${deep}}`)
      expect([400, 413, 422]).toContain(status)
      expect(await stored()).toEqual(created)
    })

    test.each(HOSTILE)('a hostile id, tag or text: %s', async (value) => {
      await create()
      const encoded = encodeURIComponent(value)
      const { status } = await alice(method, path(encoded), { data: data() })
      expect([400, 404]).toContain(status)
      await alice(method, path(), { data: data({ [value]: value }) }).expect(200)
      expect(await stored()).toMatchObject({ version: 2, data: data({ [value]: value }) })
    })
  })

  test('a patch whose result is over a limit is refused, although the patch is not', async () => {
    const created = await create({ text: 'x'.repeat(3000), deep: [[[[[]]]]] })
    await alice('patch', path(), { data: { more: 'x'.repeat(1200) } }).expect(413)
    expect(await stored()).toEqual(created)
  })
})

describe('the vector of a record in lancedb', () => {
  const at = () => records('lancedb', collection, 'a')

  test('changes with it, keeps its length, and cannot be taken out', async () => {
    await alice('post', records('lancedb', collection), { id: 'a', data: { vector: [1, 0], n: 1 } }).expect(
      201,
    )
    await alice('patch', at(), { data: { vector: [0.1, 0.7] } }).expect(200)
    await alice('put', at(), { data: { vector: [1, 0, 0] } }).expect(422)
    await alice('put', at(), { data: { n: 2 } }).expect(422)
    await alice('patch', at(), { data: { vector: null } }).expect(422)
    await alice('patch', at(), { data: { vector: [0, 0] } }).expect(422)
    const { body } = await alice('get', at()).expect(200)
    expect(body).toMatchObject({ version: 2, data: { n: 1, vector: [0.1, 0.7] } })
    const found = await alice('post', `/v1/lancedb/collections/${collection}/search`, { vector: [0.1, 0.7] })
    expect(found.body).toMatchObject({ items: [{ id: 'a', version: 2 }] })
  })
})
