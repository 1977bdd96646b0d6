import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BACKENDS, dataFor, HOSTILE, records, startSetting } from './setting.ts'
import type { Client, Setting } from './setting.ts'

let setting: Setting
let alice: Client
let bob: Client
let collection: string
let count = 0

beforeAll(async () => {
  setting = await startSetting({ RECORD_MAX_BYTES: '4096', RECORD_MAX_DEPTH: '8' })
  alice = await setting.as('alice')
  bob = await setting.as('bob')
})
beforeEach(() => {
  count += 1
  collection = `notes-${String(count)}`
})
afterAll(() => setting.close())

const code = (response: { body: unknown }) => (response.body as { code: string }).code
const ids = (response: { body: unknown }) =>
  (response.body as { items: { id: string }[] }).items.map(({ id }) => id)

describe.each(BACKENDS)('records in %s', (backend) => {
  const path = (id?: string) => records(backend, collection, id)
  const data = (more: object = {}) => dataFor(backend, more)

  test('a record is created from { data }, owned by the caller, with a Location, an ETag and version 1', async () => {
    const created = await alice('post', path(), {
      data: data({ text: 'hi', nested: { a: [1, null, 'ü'] } }),
    }).expect(201)
    expect(created.body).toEqual({
      id: expect.stringMatching(
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      ) as string,
      data: data({ text: 'hi', nested: { a: [1, null, 'ü'] } }),
      version: 1,
      owner: 'alice',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/) as string,
      updated_at: (created.body as { created_at: string }).created_at,
    })
    expect(created.headers.etag).toBe('"1"')
    const read = await alice('get', created.headers.location!).expect(200)
    expect(read.body).toEqual(created.body)
    expect(read.headers.etag).toBe('"1"')
  })

  test('an id of the caller’s own choice is kept, and taken only once', async () => {
    await alice('post', path(), { id: 'doc:1.a_B-c', data: data({ n: 1 }) }).expect(201)
    const second = await alice('post', path(), { id: 'doc:1.a_B-c', data: data({ n: 2 }) }).expect(409)
    expect(code(second)).toBe('conflict')
    const read = await alice('get', path('doc:1.a_B-c')).expect(200)
    expect(read.body).toMatchObject({ data: { n: 1 } })
  })

  test('an id that another user has is free, and tells nothing', async () => {
    await bob('post', path(), { id: 'same', data: data({ whose: 'bob' }) }).expect(201)
    await alice('get', path('same')).expect(404)
    await alice('delete', path('same')).expect(404)
    await alice('post', path(), { id: 'same', data: data({ whose: 'alice' }) }).expect(201)
    expect((await bob('get', path('same'))).body).toMatchObject({ owner: 'bob', data: { whose: 'bob' } })
    expect((await alice('get', path('same'))).body).toMatchObject({
      owner: 'alice',
      data: { whose: 'alice' },
    })
    await alice('delete', path('same')).expect(204)
    await bob('get', path('same')).expect(200)
  })

  test('another user’s record and one that never was get the same answer', async () => {
    await bob('post', path(), { id: 'secret', data: data() }).expect(201)
    const foreign = await alice('get', path('secret')).expect(404)
    const absent = await alice('get', path('absent')).expect(404)
    const plain = (response: { body: unknown }) =>
      JSON.stringify({ ...(response.body as object), request_id: '', trace_id: '' }).replace(
        /secret|absent/g,
        'ID',
      )
    expect(plain(foreign)).toBe(plain(absent))
  })

  test('a deletion is immediate, and the second is 404', async () => {
    await alice('post', path(), { id: 'gone', data: data() }).expect(201)
    const deleted = await alice('delete', path('gone')).expect(204)
    expect(deleted.text).toBe('')
    await alice('get', path('gone')).expect(404)
    await alice('delete', path('gone')).expect(404)
    expect(ids(await alice('get', path()))).toEqual([])
    await alice('post', path(), { id: 'gone', data: data() }).expect(201)
  })

  test('a list has the caller’s own records, by id, a page at a time, each exactly once', async () => {
    const mine = ['a', 'B', 'b', '10', '9', 'a.b', 'a-b']
    for (const id of mine) await alice('post', path(), { id, data: data() }).expect(201)
    await bob('post', path(), { id: 'a0', data: data() }).expect(201)
    const seen: string[] = []
    let query = 'limit=3'
    for (let page = 0; page < 4; page += 1) {
      const response = await alice('get', `${path()}?${query}`).expect(200)
      seen.push(...ids(response))
      const { next_cursor: cursor } = response.body as { next_cursor: string | null }
      if (cursor === null) break
      query = `limit=3&cursor=${cursor}`
    }
    expect(seen).toEqual([...mine].sort())
  })

  test('an empty collection is an empty list', async () => {
    expect((await alice('get', path()).expect(200)).body).toEqual({ items: [], next_cursor: null })
  })

  test.each(['!', "x'", Buffer.from("x' OR 1=1").toString('base64url'), 'YQ==', 'YR', 'a'.repeat(301)])(
    'a cursor that is none of ours is refused: %s',
    async (cursor) => {
      await alice('get', `${path()}?cursor=${encodeURIComponent(cursor)}`).expect(400)
    },
  )

  test.each(['0', '201', '-1', '1.5', 'all', ''])('a limit that is none is refused: "%s"', async (limit) => {
    await alice('get', `${path()}?limit=${limit}`).expect(400)
  })

  test('concurrent creates of one id make one record', async () => {
    await alice('post', path(), { id: 'first', data: data() }).expect(201)
    for (const id of ['raced-1', 'raced-2', 'raced-3']) {
      const racers = Array.from({ length: 8 }, (_, n) => alice('post', path(), { id, data: data({ n }) }))
      const answers = await Promise.all(racers)
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409, 409, 409])
    }
    expect(ids(await alice('get', path()))).toEqual(['first', 'raced-1', 'raced-2', 'raced-3'])
  })

  test('records are still there after a restart', async () => {
    await alice('post', path(), { id: 'kept', data: data({ text: 'still' }) }).expect(201)
    await setting.restart()
    expect((await alice('get', path('kept')).expect(200)).body).toMatchObject({
      data: data({ text: 'still' }),
    })
  })

  describe('bad input is named and leaves nothing behind', () => {
    const bodies: [string, () => string | object, number][] = [
      ['no data', () => ({ id: 'x' }), 400],
      ['an owner', () => ({ data: data(), owner: 'bob' }), 400],
      ['a version', () => ({ data: data(), version: 7 }), 400],
      ['data that is an array', () => ({ data: [] }), 400],
      ['data that is text', () => ({ data: 'x' }), 400],
      ['data that is null', () => ({ data: null }), 400],
      ['no object', () => '[]', 400],
      ['no JSON', () => '{', 400],
      ['an id with a slash', () => ({ id: 'a/b', data: data() }), 400],
      ['an id that is a number', () => ({ id: 1, data: data() }), 400],
      ['an empty id', () => ({ id: '', data: data() }), 400],
      ['a long id', () => ({ id: 'a'.repeat(129), data: data() }), 400],
      ['an id with a line break', () => ({ id: 'a\n', data: data() }), 400],
      ['too much data', () => ({ data: data({ text: 'ü'.repeat(2048) }) }), 413],
      ['data nested too deep', () => ({ data: data({ a: [[[[[[[[]]]]]]]] }) }), 422],
      ['half a surrogate pair', () => ({ data: data({ text: '\ud800' }) }), 422],
      ['NUL in a text', () => ({ data: data({ text: 'a\0b' }) }), 422],
      ['NUL in a name', () => ({ data: data({ 'a\0b': 1 }) }), 422],
      [
        'a number out of range',
        () => JSON.stringify({ data: data({ n: 'N' }) }).replace('"N"', '1e999'),
        422,
      ],
    ]
    test.each(bodies)('%s', async (_, body, status) => {
      const response = await alice('post', path(), body()).expect(status)
      expect(response.headers['content-type']).toContain('application/problem+json')
      expect(response.body).toMatchObject({ status, request_id: expect.any(String) as string })
      expect(ids(await alice('get', path()))).toEqual([])
    })

    test('nesting that would overflow a stack', async () => {
      const deep = JSON.stringify({ data: data({ a: 'DEEP' }) }).replace(
        '"DEEP"',
        '['.repeat(2e5) + ']'.repeat(2e5),
      )
      const { status } = await alice('post', path(), deep)
      expect([400, 413, 422]).toContain(status)
    })

    test('a body over the limit', async () => {
      await alice('post', path(), { data: data({ text: 'x'.repeat(1_100_000) }) }).expect(413)
    })
  })

  test.each(HOSTILE)('a hostile id, collection or backend is refused or not found: %s', async (value) => {
    await alice('post', path(), { id: 'a', data: data() }).expect(201)
    const encoded = encodeURIComponent(value)
    for (const response of [
      await alice('get', path(encoded)),
      await alice('delete', path(encoded)),
      await alice('get', records(backend, encoded)),
      await alice('post', records(backend, encoded), { data: data() }),
      await alice('get', records(encoded)),
      await alice('post', path(), { id: value, data: data() }),
    ]) {
      expect([400, 404]).toContain(response.status)
    }
    expect(ids(await alice('get', path()))).toEqual(['a'])
  })

  test.each(['%00', '%ff', '..', 'Notes', 'a'.repeat(64), '1notes', 'notes.3', '-', '_transactions'])(
    'a name that is no collection never reaches the backend: %s',
    async (name) => {
      const response = await alice('post', records(backend, name), { data: data() })
      expect([400, 404]).toContain(response.status)
    },
  )
})

describe('data', () => {
  test('a hostile text in data is kept as it is', async () => {
    for (const [at, text] of HOSTILE.entries()) {
      for (const backend of BACKENDS) {
        const data = dataFor(backend, { [text]: text })
        await alice('post', records(backend, collection), { id: `h${String(at)}`, data }).expect(201)
        const read = await alice('get', records(backend, collection, `h${String(at)}`)).expect(200)
        expect(read.body).toMatchObject({ data })
      }
    }
  })
})
