import { describe, expect, test } from 'vitest'
import { HOSTILE } from '../setting.ts'
import type { Page, Stage } from './stage.ts'

const code = (response: { body: unknown }) => (response.body as { code: string }).code

/** A record is made, read and deleted. */
export function recordCases(stage: Stage): void {
  const { path } = stage

  test('a record is created from { data }, owned by the caller, with a Location, an ETag and version 1', async () => {
    const data = { text: 'hi', nested: { a: [1, null, 'ü'] }, stars: 0.1, done: false }
    const created = await stage.alice('post', path(), { data }).expect(201)
    expect(created.body).toEqual({
      id: expect.stringMatching(
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      ) as string,
      data,
      version: 1,
      owner: stage.aliceId,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/) as string,
      updated_at: (created.body as { created_at: string }).created_at,
    })
    expect(created.headers.etag).toBe('"1"')
    const read = await stage.alice('get', created.headers.location!).expect(200)
    expect(read.body).toEqual(created.body)
    expect(read.headers.etag).toBe('"1"')
  })

  test('an id of the caller’s own choice is kept, and taken only once', async () => {
    await stage.create({ n: 1 }, 'doc:1.a_B-c')
    const second = await stage.alice('post', path(), { id: 'doc:1.a_B-c', data: { n: 2 } }).expect(409)
    expect(code(second)).toBe('conflict')
    expect(await stage.stored('doc:1.a_B-c')).toMatchObject({ data: { n: 1 } })
  })

  test('ids that differ in case, or in what a find would take for a wildcard, are different ids', async () => {
    const ids = ['A', 'a', 'a.b', 'a-b', 'a_b', 'a:b', '10', '9']
    for (const id of ids) await stage.create({ id }, id)
    expect(await stage.kept()).toEqual(ids.toSorted())
    for (const id of ids) expect(await stage.stored(id)).toMatchObject({ id, data: { id } })
  })

  test('a deletion is immediate, and the second is 404', async () => {
    await stage.create({}, 'gone')
    const deleted = await stage.alice('delete', path('gone')).expect(204)
    expect(deleted.text).toBe('')
    await stage.alice('get', path('gone')).expect(404)
    await stage.alice('delete', path('gone')).expect(404)
    expect(await stage.kept()).toEqual([])
    await stage.create({}, 'gone')
  })

  test('concurrent creates of one id make one record', async () => {
    await stage.create({}, 'first')
    for (const id of ['raced-1', 'raced-2']) {
      const racers = Array.from({ length: 8 }, (_, n) => stage.alice('post', path(), { id, data: { n } }))
      const answers = await Promise.all(racers)
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409, 409, 409])
    }
    expect(await stage.kept()).toEqual(['first', 'raced-1', 'raced-2'])
  })

  test('records are still there after a restart', async () => {
    await stage.create({ text: 'still' }, 'kept')
    await stage.setting.restart()
    expect(await stage.stored('kept')).toMatchObject({ data: { text: 'still' } })
  })

  test('an empty collection is an empty list', async () => {
    const { body } = await stage.alice('get', path()).expect(200)
    expect(body).toEqual({ items: [], next_cursor: null, count: null })
  })

  test('data are kept whole, whatever their members are called and their texts hold', async () => {
    const hostile = Object.fromEntries(HOSTILE.map((text) => [text, text]))
    const data = { ...hostile, '': 1, 'a.b': { 'c.d': [[], {}] }, constructor: null, 'data.x': 'é\u2028' }
    // What JSON calls __proto__ is a member like any other, and JavaScript easily loses it.
    const text = JSON.stringify({ id: 'a', data: { ...data, title: 'T' } }).replace(
      '"title"',
      '"__proto__":{"x":[1]},"title"',
    )
    const created = await stage.alice('post', path(), text).expect(201)
    const read = await stage.alice('get', path('a')).expect(200)
    const keptOf = (answer: { text: string }) => (JSON.parse(answer.text) as { data: object }).data
    for (const kept of [keptOf(created), keptOf(read)]) {
      expect(Object.getOwnPropertyDescriptor(kept, '__proto__')?.value).toEqual({ x: [1] })
      const { ['__proto__']: _, ...rest } = kept as Record<string, unknown>
      expect(rest).toEqual({ ...data, title: 'T' })
    }
  })

  test('numbers are kept to the last digit, and an integer that would not be is refused', async () => {
    const exact = [0, -1, 0.1, 1e21, 5e-324, 1.7976931348623157e308, 2 ** 53 - 1, -(2 ** 53), 123456789.125]
    await stage.create({ exact })
    expect(await stage.stored()).toMatchObject({ data: { exact } })
    const refused = await stage.alice('post', path(), '{"id":"b","data":{"n":9007199254740993}}').expect(422)
    expect((refused.body as { detail: string }).detail).toContain('9007199254740993')
    await stage.alice('patch', path('a'), '{"data":{"n":[12345678901234567890]}}').expect(422)
    expect(await stage.stored()).toMatchObject({ version: 1 })
  })

  describe('bad input is named and leaves nothing behind', () => {
    const bodies: [string, string | object, number][] = [
      ['no data', { id: 'x' }, 400],
      ['a version', { data: {}, version: 7 }, 400],
      ['data that is an array', { data: [] }, 400],
      ['data that is text', { data: 'x' }, 400],
      ['data that is null', { data: null }, 400],
      ['no object', '[]', 400],
      ['no JSON', '{', 400],
      ['an id with a slash', { id: 'a/b', data: {} }, 400],
      ['an id that is a number', { id: 1, data: {} }, 400],
      ['an empty id', { id: '', data: {} }, 400],
      ['a long id', { id: 'a'.repeat(129), data: {} }, 400],
      ['an id with a line break', { id: 'a\n', data: {} }, 400],
      ['too much data', { data: { text: 'ü'.repeat(2048) } }, 413],
      ['data nested too deep', { data: { a: [[[[[[[[]]]]]]]] } }, 422],
      ['half a surrogate pair', { data: { text: '\ud800' } }, 422],
      ['NUL in a text', { data: { text: 'a\0b' } }, 422],
      ['NUL in a name', { data: { 'a\0b': 1 } }, 422],
      ['a number out of range', '{"data":{"n":1e999}}', 422],
      ['nesting that would overflow a stack', `{"data":{"a":${'['.repeat(7000)}${']'.repeat(7000)}}}`, 422],
      ['a body over the limit', { data: { text: 'x'.repeat(20_000) } }, 413],
      ['data that are not as the schema has them', { data: { title: 1 } }, 422],
    ]
    test.each(bodies)('%s', async (_, body, status) => {
      const response = await stage.alice('post', path(), body).expect(status)
      expect(response.headers['content-type']).toContain('application/problem+json')
      expect(response.body).toMatchObject({ status, request_id: expect.any(String) as string })
      expect(await stage.kept()).toEqual([])
    })
  })

  test('hostile ids, collections and backends are refused or not found', async () => {
    await stage.create()
    for (const value of HOSTILE) {
      const encoded = encodeURIComponent(value)
      const answers = [
        await stage.alice('get', path(encoded)),
        await stage.alice('delete', path(encoded)),
        await stage.alice('put', `${path(encoded)}?upsert=true`, { data: {} }),
        await stage.alice('get', stage.at(encoded)),
        await stage.alice('post', stage.at(encoded), { data: {} }),
        await stage.alice('post', path(), { id: value, data: {} }),
      ]
      for (const { status } of answers) expect([400, 404]).toContain(status)
    }
    expect(await stage.kept()).toEqual(['a'])
  })

  test.each(['%00', '%ff', '..', 'Notes', 'a'.repeat(64), '1notes', 'notes.3', '-', '_transactions'])(
    'a name that is no collection never reaches the backend: %s',
    async (name) => {
      const response = await stage.alice('post', stage.at(name), { data: {} })
      expect([400, 404]).toContain(response.status)
    },
  )

  test('a page has at most as many records as it was asked for, and its limit is one', async () => {
    for (const id of ['a', 'b', 'c']) await stage.create({}, id)
    const { body } = await stage.alice('get', `${path()}?limit=2`).expect(200)
    expect((body as Page).items.map(({ id }) => id)).toEqual(['a', 'b'])
    for (const limit of ['0', '201', '-1', '1.5', 'all', '']) {
      await stage.alice('get', `${path()}?limit=${limit}`).expect(400)
    }
  })
}
