import { describe, expect, test } from 'vitest'
import { HOSTILE } from '../setting.ts'
import type { Client } from '../setting.ts'
import type { Item, Page, Stage } from './stage.ts'

/** As the runner sets them. */
export const MAX_RECORDS = 20
export const BULK_BODY_LIMIT = 64 * 1024

/** Many records are made at once, all of them or none. */
export function bulkCases(stage: Stage): void {
  const { path } = stage
  const bulk = (client: Client, given: unknown, more: object = {}) =>
    client('post', `${path()}/bulk`, typeof given === 'string' ? given : { records: given, ...more })
  const record = (id: string | undefined, data: object = {}) => ({ id, data })
  const items = (response: { body: unknown }) => (response.body as Page).items

  test('are given back in their order, each with its id, and kept whole', async () => {
    const given = [record('b', { n: 1 }), record(undefined, { n: 2 }), record('a', { n: 3, title: 'T' })]
    const created = items(await bulk(stage.alice, given).expect(201))
    expect(created.map(({ id }) => id)).toEqual(['b', expect.stringMatching(/^[0-9a-f-]{36}$/), 'a'])
    expect(created.map(({ data }) => data)).toEqual(given.map(({ data }) => data))
    expect(created.every(({ owner, version }) => owner === stage.aliceId && version === 1)).toBe(true)
    for (const one of created) expect(await stage.stored(one.id)).toEqual(one)
    expect(await stage.kept()).toEqual(created.map(({ id }) => id).sort())
  })

  test('none is kept when one of the ids is taken already, and the answer names it', async () => {
    await stage.create({ n: 1 }, 'known')
    const given = [record('new-1'), record('known', { n: 2 }), record('new-2')]
    const refused = await bulk(stage.alice, given).expect(409)
    const detail = 'You have a record known in notes already.'
    expect(refused.body).toMatchObject({ code: 'conflict', detail })
    expect(await stage.kept()).toEqual(['known'])
    expect(await stage.stored('known')).toMatchObject({ version: 1, data: { n: 1 } })
  })

  test('with on_conflict replace those that are there get the new data, and the others are made', async () => {
    const before = await stage.create({ n: 1, gone: true }, 'known')
    const given = [record('new', { n: 1 }), record('known', { n: 2 })]
    const answered = items(await bulk(stage.alice, given, { on_conflict: 'replace' }).expect(201))
    expect(answered).toMatchObject([
      { id: 'new', version: 1, data: { n: 1 } },
      { id: 'known', version: 2, created_at: before.created_at },
    ])
    for (const one of answered) expect(await stage.stored(one.id)).toEqual(one)
    expect(answered[1]!.data).toEqual({ n: 2 })
    await bulk(stage.alice, given, { on_conflict: 'ignore' }).expect(400)
  })

  test('none is kept when an id stands twice in the request, and the answer names it', async () => {
    const given = [record('one'), record('same'), record('two'), record('same')]
    for (const more of [{}, { on_conflict: 'replace' }]) {
      const refused = await bulk(stage.alice, given, more).expect(409)
      const detail = 'The id same stands twice in the request.'
      expect(refused.body).toMatchObject({ code: 'conflict', detail })
    }
    expect(await stage.kept()).toEqual([])
  })

  test('requests for the same ids at the same time: one gets all of them, the others none', async () => {
    const names = Array.from({ length: 12 }, (_, n) => `raced-${String(n)}`)
    const racers = Array.from({ length: 6 }, (_, racer) => {
      const order = racer % 2 === 0 ? names : names.toReversed()
      return bulk(stage.alice, [record(`own-${String(racer)}`), ...order.map((id) => record(id, { racer }))])
    })
    const answers = await Promise.all(racers)
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409])
    const winner = answers.findIndex(({ status }) => status === 201)
    expect(await stage.kept()).toEqual([`own-${String(winner)}`, ...names].sort())
  })

  test.each<[string, (good: object) => unknown, number, RegExp]>([
    ['no data', (good) => [good, { id: 'x' }], 400, /^body\.records\.1\.data: /],
    ['an id that is none', (good) => [good, { id: 'a/b', data: {} }], 400, /^body\.records\.1\.id: /],
    ['no object', (good) => [good, null], 400, /^body\.records\.1: /],
    ['NUL in a text', (good) => [good, record('x', { t: 'a\0b' })], 422, /^records\[1\]\.data\.t contains/],
    [
      'too much data',
      (good) => [good, record('x', { t: 'x'.repeat(5000) })],
      413,
      /^records\[1\]\.data is \d+/,
    ],
    [
      'data that are not as the schema has them',
      (good) => [good, record('x', { title: null })],
      422,
      /^records\[1\]\.data\.title must be string\.$/,
    ],
  ])(
    'none is kept when one of them is bad, and the answer says which: %s',
    async (_, given, status, detail) => {
      const refused = await bulk(stage.alice, given({ data: {} })).expect(status)
      expect((refused.body as { detail: string }).detail).toMatch(detail)
      expect(await stage.kept()).toEqual([])
    },
  )

  describe('limits', () => {
    const many = (length: number) =>
      Array.from({ length }, (_, n) => record(`r${String(n).padStart(2, '0')}`))

    test('as many as BULK_MAX_RECORDS are taken, one more is refused', async () => {
      const refused = await bulk(stage.alice, many(MAX_RECORDS + 1)).expect(413)
      expect(refused.body).toMatchObject({
        code: 'payload_too_large',
        detail: 'records has 21 entries; 20 is the most of one request (BULK_MAX_RECORDS).',
      })
      expect(await stage.kept()).toEqual([])
      expect(items(await bulk(stage.alice, many(MAX_RECORDS)).expect(201))).toHaveLength(MAX_RECORDS)
      expect(await stage.kept()).toHaveLength(MAX_RECORDS)
    })

    test('a body may be larger than that of other routes, but not than BULK_BODY_LIMIT_BYTES', async () => {
      const large = many(MAX_RECORDS).map(({ id }) => record(id, { text: 'x'.repeat(3000) }))
      await bulk(stage.alice, large).expect(201)
      await bulk(stage.alice, [record('x', { text: 'x'.repeat(BULK_BODY_LIMIT) })]).expect(413)
    })

    test.each([
      ['no record', '{"records":[]}'],
      ['no records', '{}'],
      ['one record that is not in a list', '{"records":{"data":{}}}'],
      ['members beside them', '{"records":[{"data":{}}],"owner":"bob"}'],
      ['more entries than any setting allows', `{"records":[${'1,'.repeat(10_000)}1]}`],
    ])('%s is refused with one error', async (_, body) => {
      const { errors } = (await bulk(stage.alice, body).expect(400)).body as { errors: unknown[] }
      expect(errors).toHaveLength(1)
      expect(await stage.kept()).toEqual([])
    })
  })

  test('ids that other users have are free, and what is theirs stays theirs', async () => {
    await bulk(stage.bob, [record('a', { whose: 'bob' }), record('b', { whose: 'bob' })]).expect(201)
    const given = [record('b', { whose: 'alice' }), record('c', { whose: 'alice' })]
    await bulk(stage.alice, given, { on_conflict: 'replace' }).expect(201)
    expect([await stage.kept(), await stage.kept(stage.bob)]).toEqual([
      ['b', 'c'],
      ['a', 'b'],
    ])
    expect(await stage.stored('b')).toMatchObject({ owner: stage.aliceId, data: { whose: 'alice' } })
    expect(await stage.stored('b', stage.bob)).toMatchObject({ version: 1, data: { whose: 'bob' } })
  })

  test('a user with a hostile id creates records of their own only', async () => {
    await bulk(stage.alice, [record('a'), record('b')]).expect(201)
    for (const name of HOSTILE) {
      const userId = `${name} ${stage.aliceId} ${name}`.slice(0, 255)
      const client = await stage.setting.as(userId)
      const created = items(await bulk(client, [record('a'), record('b')]).expect(201))
      expect(created.map(({ owner }: Item) => owner)).toEqual([userId, userId])
      await bulk(client, [record('c'), record('b')]).expect(409)
      expect(await stage.kept(client)).toEqual(['a', 'b'])
    }
    expect(await stage.kept()).toEqual(['a', 'b'])
  })

  test('hostile ids among them are refused', async () => {
    for (const id of HOSTILE) await bulk(stage.alice, [record('a'), record(id)]).expect(400)
    expect(await stage.kept()).toEqual([])
  })

  test('a record may still be called bulk', async () => {
    await bulk(stage.alice, [record('bulk')]).expect(201)
    await stage.alice('get', path('bulk')).expect(200)
    await stage.alice('delete', path('bulk')).expect(204)
  })
}
