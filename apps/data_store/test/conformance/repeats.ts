import { expect, test } from 'vitest'
import type { Client, Method } from '../setting.ts'
import type { Item, Stage } from './stage.ts'

/** What is sent twice with one Idempotency-Key is done once (draft-ietf-httpapi-idempotency-key-header). */
export function repeatCases(stage: Stage): void {
  const { path } = stage
  const keyed = (key: string, method: Method, at: string, body?: object, client: Client = stage.alice) =>
    client(method, at, body).set('Idempotency-Key', key)
  const red = { field: 'data.colour', op: 'eq', value: 'red' }

  test('every write answers the same again, and does nothing', async () => {
    await stage.create({ colour: 'red' }, 'one')
    await stage.create({ colour: 'red' }, 'two')
    const writes: [Method, string, object | undefined][] = [
      ['post', path(), { data: { n: 1 } }],
      ['post', `${path()}/bulk`, { records: [{ data: { n: 1 } }, { data: { n: 2 } }] }],
      ['put', path('one'), { data: { colour: 'red', n: 1 } }],
      ['put', `${path('new')}?upsert=true`, { data: {} }],
      ['patch', path('one'), { data: { n: 2 } }],
      ['post', stage.action('bulk-patch'), { filter: red, data: { n: 3 } }],
      ['delete', path('two'), undefined],
      ['post', stage.action('bulk-delete'), { filter: red }],
    ]
    for (const [nth, [method, at, body]] of writes.entries()) {
      const send = () => keyed(`"key ${String(nth)}"`.replace(' ', '-'), method, at, body)
      const first = await send()
      expect(first.status, `${method} ${at}`).toBeLessThan(300)
      expect(first.headers['idempotency-replayed']).toBeUndefined()
      const before = await stage.query({})
      const again = await send()
      expect(again.headers['idempotency-replayed']).toBe('true')
      expect([again.status, again.body]).toEqual([first.status, first.body])
      for (const header of ['etag', 'location']) expect(again.headers[header]).toBe(first.headers[header])
      expect(await stage.query({})).toEqual(before)
    }
  })

  test('a key is for one request: with another it is 422, and nothing is done', async () => {
    await keyed('k', 'post', path(), { id: 'a', data: { n: 1 } }).expect(201)
    const others: [Method, string, object][] = [
      ['post', path(), { id: 'a', data: { n: 2 } }],
      ['post', stage.at('strict'), { id: 'a', data: { n: 1 } }],
      ['put', path('a'), { data: { n: 1 } }],
      ['patch', path('a'), { data: { n: 1 } }],
    ]
    for (const [method, at, body] of others) {
      const { body: refused } = await keyed('k', method, at, body).expect(422)
      expect(refused).toMatchObject({ code: 'unprocessable' })
    }
    await keyed('t', 'put', path('a'), { data: { n: 2 } })
      .set('If-Match', '"1"')
      .expect(200)
    await keyed('t', 'put', path('a'), { data: { n: 2 } })
      .set('If-Match', '"2"')
      .expect(422)
    expect(await stage.stored()).toMatchObject({ version: 2, data: { n: 2 } })
  })

  test('of 8 at once with one key one is done, and the others get its answer or 409 with Retry-After', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => keyed('race', 'post', path(), { data: { n: 1 } })),
    )
    const done = answers.filter(({ status }) => status === 201)
    expect(new Set(done.map(({ body }) => (body as Item).id)).size).toBe(1)
    expect(done.filter(({ headers }) => headers['idempotency-replayed'] === undefined)).toHaveLength(1)
    for (const { status, headers } of answers.filter((answer) => !done.includes(answer))) {
      expect([status, headers['retry-after']]).toEqual([409, '1'])
    }
    expect(await stage.kept()).toHaveLength(1)
  })

  test('a refusal did nothing, so that the same may be asked again', async () => {
    await keyed('again', 'patch', path('a'), { data: { n: 2 } }).expect(404)
    await stage.create({ n: 1 })
    await keyed('again', 'patch', path('a'), { data: { n: 2 } }).expect(200)
    await keyed('again', 'patch', path('a'), { data: { n: 2 } }).expect('Idempotency-Replayed', 'true')
    expect(await stage.stored()).toMatchObject({ version: 2 })
  })

  test('another user’s key is another key, and so is one that comes for another tenant', async () => {
    const body = { id: 'a', data: { n: 1 } }
    await keyed('same', 'post', path(), body).expect(201)
    const other = await keyed('same', 'post', path(), body, stage.bob).expect(201)
    expect(other.body).toMatchObject({ owner: stage.bobId })
    const [one, two] = [
      await stage.as('carol', { tenant_id: 'one' }),
      await stage.as('carol', { tenant_id: 'two' }),
    ]
    const given = { id: `of-${stage.aliceId}`, data: {} }
    await keyed('t', 'post', stage.at('tenant-notes'), given, one).expect(201)
    await keyed('t', 'post', stage.at('tenant-notes'), given, two).expect(422)
  })

  test.each(['', ' ', 'two words', 'ü', 'x'.repeat(256)])(
    'a key that is none is refused: "%s"',
    async (key) => {
      const { status } = await keyed(encodeHeader(key), 'post', path(), { data: {} })
      expect(status).toBe(400)
      expect(await stage.kept()).toEqual([])
    },
  )
}

/** A header's bytes as Latin 1, which is how Node writes them. */
function encodeHeader(text: string): string {
  return Buffer.from(text).toString('latin1')
}
