import { describe, expect, test } from 'vitest'
import { HOSTILE } from '../setting.ts'
import type { Client } from '../setting.ts'
import type { Item, Stage } from './stage.ts'

const CHANGES = ['put', 'patch'] as const
const WRITES = ['put', 'patch', 'delete'] as const

/** A record is replaced, patched and deleted, if it is still what it was. */
export function changeCases(stage: Stage): void {
  const at = (id = 'a') => stage.path(id)
  const write = (client: Client, method: (typeof WRITES)[number], data: object = {}, path = at()) =>
    client(method, path, method === 'delete' ? undefined : { data })

  test('PUT replaces the data, and nothing else but version and updated_at', async () => {
    const created = await stage.create({ text: 'old', gone: 1 })
    const replaced = await stage.alice('put', at(), { data: { text: 'new' } }).expect(200)
    const { updated_at } = replaced.body as Item
    expect(replaced.body).toEqual({ ...created, data: { text: 'new' }, version: 2, updated_at })
    expect(updated_at >= created.updated_at).toBe(true)
    expect(replaced.headers.etag).toBe('"2"')
    expect(await stage.stored()).toEqual(replaced.body)
  })

  test('PATCH merges: null takes out, objects are merged, arrays replaced (RFC 7396)', async () => {
    const created = await stage.create({
      ...{ text: 'old', gone: 1, title: 'T' },
      ...{ deep: { kept: 1, gone: 2 }, list: [1, 2, 3] },
    })
    const patch = { text: 'new', gone: null, title: null, deep: { gone: null, more: [null] }, list: [4] }
    const patched = await stage.alice('patch', at(), { data: patch }).expect(200)
    const { updated_at } = patched.body as Item
    const data = { text: 'new', deep: { kept: 1, more: [null] }, list: [4] }
    expect(patched.body).toEqual({ ...created, data, version: 2, updated_at })
    expect(patched.headers.etag).toBe('"2"')
    expect(await stage.stored()).toEqual(patched.body)
  })

  test.each(WRITES)('%s of what is not there is 404, and makes nothing', async (method) => {
    await stage.create({}, 'another')
    for (const condition of [{}, { 'If-Match': '*' }, { 'If-Match': '"1"' }]) {
      await write(stage.alice, method).set(condition).expect(404)
    }
    expect(await stage.kept()).toEqual(['another'])
  })

  test.each(WRITES)('%s of another user’s record answers as for one that is not there', async (method) => {
    await stage.create({ whose: 'alice' })
    for (const condition of [{}, { 'If-Match': '*' }, { 'If-Match': '"1"' }, { 'If-Match': '"9"' }]) {
      const [foreign, absent] = await Promise.all([
        write(stage.bob, method).set(condition).expect(404),
        write(stage.bob, method, {}, at('b')).set(condition).expect(404),
      ])
      expect((foreign.body as { detail: string }).detail.replace(' a ', ' b ')).toBe(
        (absent.body as { detail: string }).detail,
      )
    }
    expect(await stage.stored()).toMatchObject({ version: 1, data: { whose: 'alice' } })
  })

  describe('If-Match (RFC 9110 section 13.1.1)', () => {
    test.each(WRITES)('%s happens when one of the tags is the record’s, or with *', async (method) => {
      for (const condition of ['"1"', '"7", "1"', '*']) {
        await stage.create()
        await write(stage.alice, method)
          .set('If-Match', condition)
          .expect(method === 'delete' ? 204 : 200)
        if (method !== 'delete') await stage.alice('delete', at()).set('If-Match', '"2"').expect(204)
      }
    })

    test.each(WRITES)('%s is 412 when none is, and changes nothing', async (method) => {
      const created = await stage.create()
      for (const condition of ['"2"', 'W/"1"', '"2", "3"', '""']) {
        const refused = await write(stage.alice, method).set('If-Match', condition).expect(412)
        expect(refused.body).toMatchObject({ code: 'precondition_failed' })
        expect(refused.headers.etag).toBe('"1"')
      }
      expect(await stage.stored()).toEqual(created)
    })

    test.each(WRITES)('%s is 400 when it is malformed', async (method) => {
      await stage.create()
      for (const condition of ['1', '"1', '*, "1"', "\"1\" OR '1'='1'"]) {
        await write(stage.alice, method).set('If-Match', condition).expect(400)
      }
      expect(await stage.stored()).toMatchObject({ version: 1 })
    })

    test.each(WRITES)('of 20 concurrent %s with one tag exactly one wins', async (method) => {
      await stage.create()
      const racers = Array.from({ length: 20 }, (_, n) =>
        write(stage.alice, method, { winner: n }).set('If-Match', '"1"'),
      )
      const answers = await Promise.all(racers)
      const won = answers.filter(({ status }) => status < 300)
      expect(won).toHaveLength(1)
      const refusals = new Set(answers.filter(({ status }) => status >= 300).map(({ status }) => status))
      expect(refusals).toEqual(new Set([method === 'delete' ? 404 : 412]))
      if (method !== 'delete') expect(await stage.stored()).toEqual(won[0]!.body)
    })

    test.each(WRITES)('without it %s is 428 where the collection requires it', async (method) => {
      const path = stage.at('strict', 'a')
      await stage.alice('post', stage.at('strict'), { id: 'a', data: {} }).expect(201)
      const refused = await write(stage.alice, method, {}, path).expect(428)
      expect(refused.body).toMatchObject({ code: 'precondition_required' })
      await write(stage.bob, method, {}, path).expect(428)
      await write(stage.bob, method, {}, path).set('If-Match', '*').expect(404)
      await write(stage.alice, method, {}, path)
        .set('If-Match', '"1"')
        .expect(method === 'delete' ? 204 : 200)
    })
  })

  describe('If-None-Match (RFC 9110 section 13.1.2)', () => {
    test.each(WRITES)(
      '%s with * is 412 where there is such a record, and 404 where there is none',
      async (method) => {
        await write(stage.alice, method).set('If-None-Match', '*').expect(404)
        const created = await stage.create({ n: 1 })
        const refused = await write(stage.alice, method, { n: 2 }).set('If-None-Match', '*').expect(412)
        expect(refused.body).toMatchObject({ code: 'precondition_failed' })
        expect(refused.headers.etag).toBe('"1"')
        await write(stage.bob, method).set('If-None-Match', '*').expect(404)
        for (const condition of ['"1"', 'W/"1"', '"7", "1"']) {
          await write(stage.alice, method).set('If-None-Match', condition).expect(412)
        }
        await write(stage.alice, method).set('If-None-Match', '1').expect(400)
        expect(await stage.stored()).toEqual(created)
        const other = write(stage.alice, method).set('If-None-Match', '"2"')
        await other.expect(method === 'delete' ? 204 : 200)
      },
    )

    test.each(['notes', 'strict'])(
      'an upsert in %s with * makes what is new, and replaces nothing',
      async (name) => {
        const upsert = (data: object) =>
          stage.alice('put', `${stage.at(name, 'u')}?upsert=true`, { data }).set('If-None-Match', '*')
        const answers = await Promise.all(Array.from({ length: 5 }, (_, n) => upsert({ n })))
        expect(answers.map(({ status }) => status).sort()).toEqual([201, 412, 412, 412, 412])
        const { body } = await stage.alice('get', stage.at(name, 'u')).expect(200)
        expect(body).toEqual(answers.find(({ status }) => status === 201)?.body)
      },
    )
  })

  describe('PUT ?upsert=true', () => {
    const upsert = (data: object, id = 'a', client = stage.alice) =>
      client('put', `${at(id)}?upsert=true`, { data })

    test('makes the record with 201 and a Location, and replaces it with 200 and the next version', async () => {
      const made = await upsert({ n: 1 }).expect(201)
      expect(made.body).toMatchObject({ id: 'a', version: 1, owner: stage.aliceId, data: { n: 1 } })
      expect(made.headers).toMatchObject({ etag: '"1"', location: at() })
      const replaced = await upsert({ n: 2 }).expect(200)
      const { created_at } = made.body as Item
      expect(replaced.body).toMatchObject({ version: 2, data: { n: 2 }, created_at })
      expect(replaced.headers.etag).toBe('"2"')
      expect(await stage.stored()).toEqual(replaced.body)
    })

    test('with If-Match replaces that version only, and makes nothing', async () => {
      await upsert({ n: 1 }).set('If-Match', '"1"').expect(412)
      await upsert({ n: 1 }).set('If-Match', '*').expect(412)
      expect(await stage.kept()).toEqual([])
      await stage.create({ n: 1 })
      await upsert({ n: 2 }).set('If-Match', '"2"').expect(412)
      await upsert({ n: 2 }).set('If-Match', '"1"').expect(200)
      expect(await stage.stored()).toMatchObject({ version: 2, data: { n: 2 } })
    })

    test('of a name that another user has makes the caller’s own record', async () => {
      await stage.create({ whose: 'alice' })
      await upsert({ whose: 'bob' }, 'a', stage.bob).expect(201)
      expect(await stage.stored()).toMatchObject({ version: 1, data: { whose: 'alice' } })
      expect(await stage.stored('a', stage.bob)).toMatchObject({ version: 1, owner: stage.bobId })
    })

    test('12 at once make one record, and each of them counts', async () => {
      const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => upsert({ n })))
      expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(11).fill(200), 201])
      const versions = answers.map(({ body }) => (body as Item).version).sort((one, other) => one - other)
      expect(versions).toEqual(Array.from({ length: 12 }, (_, n) => n + 1))
      expect(await stage.stored()).toMatchObject({ version: 12 })
    })

    test('where If-Match is required, makes what is new and replaces nothing without it', async () => {
      const strict = (data: object) => stage.alice('put', `${stage.at('strict', 'u')}?upsert=true`, { data })
      await strict({ n: 1 }).expect(201)
      await strict({ n: 2 }).expect(428)
      await strict({ n: 2 }).set('If-Match', '"1"').expect(200)
    })
  })

  test('concurrent patches without If-Match are all there in the end, one version each', async () => {
    await stage.create()
    const patches = Array.from({ length: 12 }, (_, n) =>
      stage.alice('patch', at(), { data: { [`by${String(n)}`]: n } }).expect(200),
    )
    const versions = (await Promise.all(patches)).map(({ body }) => (body as Item).version)
    expect(versions.sort((one, other) => one - other)).toEqual(Array.from({ length: 12 }, (_, n) => n + 2))
    const all = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`by${String(n)}`, n]))
    expect(await stage.stored()).toMatchObject({ version: 13, data: all })
  })

  test('who reads meanwhile finds the record once and whole, whichever version', async () => {
    await stage.create({ n: 0, again: 0 })
    const progress = { isOver: false }
    const write15 = async () => {
      for (let n = 1; n <= 15; n += 1) await stage.alice('put', at(), { data: { n, again: n } }).expect(200)
    }
    const seen: Item[][] = []
    const read = async () => {
      do seen.push((await stage.query({})).items)
      while (!progress.isOver)
    }
    const writer = write15().finally(() => {
      progress.isOver = true
    })
    await Promise.all([writer, read()])
    for (const items of seen) {
      expect(items).toHaveLength(1)
      const { version, data } = items[0]!
      expect(data).toMatchObject({ n: version - 1, again: version - 1 })
    }
  })

  describe.each(CHANGES)('bad input to %s is named and changes nothing', (method) => {
    test.each<[string, object, number]>([
      ['no data', {}, 400],
      ['data that is null', { data: null }, 400],
      ['data that is an array', { data: [] }, 400],
      ['another version', { data: {}, version: 7 }, 400],
      ['another id', { id: 'b', data: {} }, 400],
      ['too much data', { data: { text: 'ü'.repeat(2048) } }, 413],
      ['data nested too deep', { data: { a: [[[[[[[[]]]]]]]] } }, 422],
      ['half a surrogate pair', { data: { text: '\ud800' } }, 422],
      ['NUL in a name', { data: { 'a\0b': 1 } }, 422],
      ['data that are not as the schema has them', { data: { done: 'yes' } }, 422],
    ])('%s', async (_, body, status) => {
      const created = await stage.create()
      const refused = await stage.alice(method, at(), body).expect(status)
      expect(refused.headers['content-type']).toContain('application/problem+json')
      expect(await stage.stored()).toEqual(created)
    })

    test('a hostile id finds nothing, and a hostile text is kept as it is', async () => {
      await stage.create()
      for (const [nth, value] of HOSTILE.entries()) {
        const { status } = await stage.alice(method, at(encodeURIComponent(value)), { data: {} })
        expect([400, 404]).toContain(status)
        await stage.alice(method, at(), { data: { [value]: value, title: value } }).expect(200)
        expect(await stage.stored()).toMatchObject({
          version: nth + 2,
          data: { [value]: value, title: value },
        })
      }
    })
  })

  test('a patch whose result is over a limit, or not as the schema has it, is refused', async () => {
    const created = await stage.create({ text: 'x'.repeat(3000) })
    await stage.alice('patch', at(), { data: { more: 'x'.repeat(1200) } }).expect(413)
    const refused = await stage.alice('patch', at(), { data: { stars: 'many' } }).expect(422)
    expect((refused.body as { detail: string }).detail).toBe('data.stars must be number.')
    expect(await stage.stored()).toEqual(created)
  })
}
