import { beforeEach, describe, expect, test } from 'vitest'
import { FILTERS, ORDERS, SAMPLE } from './samples.ts'
import type { Page, Stage } from './stage.ts'

/** As the runner sets it. */
export const PAGE_MAX_BYTES = 16 * 1024

/** What a filter lets through, in which order, page by page. */
export function queryCases(stage: Stage): void {
  const fill = async () => {
    const records = Object.entries(SAMPLE).map(([id, data]) => ({ id, data }))
    await stage.alice('post', `${stage.path()}/bulk`, { records }).expect(201)
    await stage.create({ title: 'Apple', label: 'Apple', rank: 5 }, 'of-bob', stage.bob)
  }
  const ids = ({ items }: Page) => items.map(({ id }) => id).join('')

  describe('of records that lack members, or have them in other types', () => {
    test('every filter lets through what it says, and counts it', async () => {
      await fill()
      for (const [filter, expected] of FILTERS) {
        const page = await stage.query({ filter, count: 'exact' })
        expect([ids(page), page.count], JSON.stringify(filter)).toEqual([expected, expected.length])
        expect(page.items.every(({ owner }) => owner === stage.aliceId)).toBe(true)
      }
    })

    test('every order is the one of the contract, whole or in pages', async () => {
      await fill()
      for (const [order, expected] of ORDERS) {
        expect(ids(await stage.query({ order })), order.join()).toBe(expected)
        let cursor: string | null | undefined
        let seen = ''
        for (let page = 0; page < 9 && cursor !== null; page += 1) {
          const found = await stage.query({ order, limit: 3, ...(cursor !== undefined && { cursor }) })
          seen += ids(found)
          cursor = found.next_cursor
        }
        expect(seen, `${order.join()} in pages`).toBe(expected)
      }
    })
  })

  describe('page by page', () => {
    beforeEach(async () => {
      const records = Array.from({ length: 18 }, (_, n) => ({
        id: String.fromCharCode(97 + n),
        data: { group: n % 3, half: n < 9 },
      }))
      await stage.alice('post', `${stage.path()}/bulk`, { records }).expect(201)
    })

    test('with ties, a filter and an order by time, each record comes exactly once', async () => {
      const filter = { field: 'data.half', op: 'eq', value: true }
      const order = ['-data.group', '-created_at']
      const seen: string[] = []
      let cursor: string | null = null
      do {
        const more: object = cursor === null ? {} : { cursor }
        const page = await stage.query({ filter, order, limit: 2, ...more })
        expect(page.items.length).toBeLessThanOrEqual(2)
        seen.push(...page.items.map(({ id }) => id))
        cursor = page.next_cursor
      } while (cursor !== null)
      expect(seen).toHaveLength(9)
      expect(seen.toSorted().join('')).toBe('abcdefghi')
      expect(seen.map((id) => (id.charCodeAt(0) - 97) % 3)).toEqual([2, 2, 2, 1, 1, 1, 0, 0, 0])
    })

    test('a page ends before it is longer than PAGE_MAX_BYTES, and the next goes on from there', async () => {
      const text = 'x'.repeat(3_500)
      const long = Array.from({ length: 10 }, (_, n) => ({ id: `long-${String(n)}`, data: { text } }))
      await stage.alice('post', `${stage.path()}/bulk`, { records: long }).expect(201)
      const filter = { field: 'id', op: 'prefix', value: 'long-' }
      const seen: string[] = []
      const lengths: number[] = []
      let cursor: string | null = null
      do {
        const more: object = cursor === null ? {} : { cursor }
        const page = await stage.query({ filter, limit: 200, count: 'exact', ...more })
        expect(page.count).toBe(10)
        expect(page.items.map((item) => JSON.stringify(item)).join('').length).toBeLessThanOrEqual(
          PAGE_MAX_BYTES,
        )
        seen.push(...page.items.map(({ id }) => id))
        lengths.push(page.items.length)
        cursor = page.next_cursor
      } while (cursor !== null)
      expect([seen, lengths]).toEqual([long.map(({ id }) => id), [4, 4, 2]])
      // Of what is not given back nothing counts.
      const ids = await stage.query({ filter, limit: 200, select: ['id'] })
      expect([ids.items.length, ids.next_cursor]).toEqual([10, null])
    })

    test('what is deleted or made meanwhile neither repeats a record nor skips one', async () => {
      const first = await stage.query({ limit: 5 })
      await stage.alice('delete', stage.path('e')).expect(204)
      await stage.create({}, 'aa')
      const second = await stage.query({ limit: 5, cursor: first.next_cursor })
      expect([ids(first), ids(second)]).toEqual(['abcde', 'fghij'])
    })

    test('a cursor is for the collection, the filter and the order that it came with, and for its owner', async () => {
      const filter = { field: 'data.group', op: 'eq', value: 1 }
      const { next_cursor: cursor } = await stage.query({ filter, order: ['-id'], limit: 2 })
      expect(cursor).not.toBeNull()
      const ask = (body: object, client = stage.alice, collection = 'notes') =>
        client('post', stage.action('query', collection), body)
      await ask({ filter, order: ['-id'], cursor }).expect(200)
      for (const other of [
        { filter },
        { order: ['-id'] },
        { filter: { ...filter, value: 2 }, order: ['-id'] },
      ]) {
        const refused = await ask({ ...other, cursor }).expect(400)
        expect(refused.body).toMatchObject({ code: 'bad_request' })
      }
      await ask({ filter, order: ['-id'], cursor }, stage.alice, 'strict').expect(400)
      await ask({ filter, order: ['-id'], cursor }, stage.bob).expect(400)
    })

    test('a cursor that was tampered with is refused', async () => {
      const { next_cursor: cursor } = await stage.query({ order: ['created_at'], limit: 2 })
      const [digest] = JSON.parse(Buffer.from(cursor!, 'base64url').toString()) as [string]
      const values: unknown[] = [
        [
          [1, 'x'],
          [1, 'a'],
        ],
        [[1, '2026-01-01T00:00:00.000Z']],
        [
          [0, 1],
          [1, "a'"],
        ],
        [],
      ]
      const forged = values.map((value) =>
        Buffer.from(JSON.stringify([digest, ...(value as unknown[])])).toString('base64url'),
      )
      for (const wrong of [
        '!',
        'YQ==',
        Buffer.from('[]').toString('base64url'),
        'a'.repeat(9000),
        ...forged,
      ]) {
        const body = { order: ['created_at'], cursor: wrong }
        await stage.alice('post', stage.action('query'), body).expect(400)
      }
    })

    test('a list takes in its query string what a query takes in its body', async () => {
      const filter = { field: 'data.group', op: 'in', value: [0, 2] }
      const given = { filter, order: ['-data.group', 'id'], limit: 4, select: ['data.group'], count: 'exact' }
      const words = new URLSearchParams({
        filter: JSON.stringify(filter),
        ...{ order: '-data.group,id', limit: '4', select: 'data.group', count: 'exact' },
      })
      const { body } = await stage.alice('get', `${stage.path()}?${words.toString()}`).expect(200)
      expect(body).toEqual(await stage.query(given))
      expect(body).toMatchObject({ count: 12, items: [{ id: 'c', data: { group: 2 } }, {}, {}, {}] })
    })
  })

  test.each(['+010000-01-01T00:00:00.000Z', '+275760-09-13T00:00:00.000Z', '-000001-01-01T00:00:00.000Z'])(
    'a time as JavaScript writes it in years of more than four digits is no record’s: %s',
    async (value) => {
      await fill()
      const all = Object.keys(SAMPLE).length
      for (const field of ['created_at', 'updated_at']) {
        const count = async (comparison: object) =>
          (await stage.query({ filter: { field, ...comparison }, count: 'exact' })).count
        expect(await count({ op: 'eq', value })).toBe(0)
        expect(await count({ op: 'in', value: [value] })).toBe(0)
        expect(await count({ op: 'ne', value })).toBe(all)
        // As a text it is before every digit.
        expect(await count({ op: 'gt', value })).toBe(all)
        expect(await count({ op: 'le', value })).toBe(0)
        expect(await count({ op: 'prefix', value })).toBe(0)
        const filter = { field, op: 'eq', value }
        const patch = { filter, data: { n: 2 } }
        const patched = await stage.alice('post', stage.action('bulk-patch'), patch).expect(200)
        const deleted = await stage.alice('post', stage.action('bulk-delete'), { filter }).expect(200)
        expect([patched.body, deleted.body]).toEqual([{ affected: 0 }, { affected: 0 }])
      }
    },
  )

  test('only the members that are selected are given back, and the record’s own always', async () => {
    const created = await stage.create({ title: 'T', stars: 2, deep: { a: { b: 1, c: 2 }, d: 3 }, list: [1] })
    const selected = async (...select: string[]) => (await stage.query({ select })).items[0]!
    expect(await selected('data.title')).toEqual({ ...created, data: { title: 'T' } })
    expect((await selected('id')).data).toEqual({})
    const deep = { deep: { a: { b: 1 }, d: 3 } }
    expect((await selected('data.deep.a.b', 'data.deep.d', 'data.gone', 'data.list.x')).data).toEqual(deep)
    await stage.alice('post', stage.action('query'), { select: ['data'] }).expect(400)
  })

  test('counts are of all that the filter lets through, when they are asked for', async () => {
    await fill()
    const filter = { field: 'data.rank', op: 'ge', value: 5 }
    expect((await stage.query({ filter, limit: 1 })).count).toBeNull()
    expect((await stage.query({ filter, limit: 1, count: 'exact' })).count).toBe(2)
    expect((await stage.query({ count: 'exact' }, stage.bob)).count).toBe(1)
  })

  test('a planned count is counted too, whatever others have', async () => {
    await fill()
    const filter = { field: 'data.rank', op: 'ge', value: 5 }
    const planned = async (body: object) => (await stage.query({ ...body, count: 'planned' })).count
    expect([await planned({ filter }), await planned({})]).toEqual([2, Object.keys(SAMPLE).length])
    await stage.alice('delete', stage.path(Object.keys(SAMPLE)[0])).expect(204)
    expect(await planned({})).toBe(Object.keys(SAMPLE).length - 1)
  })

  test('a cursor with a time that no record can have is none', async () => {
    await stage.create({}, 'a')
    await stage.create({}, 'b')
    const { next_cursor } = await stage.query({ order: ['created_at'], limit: 1 })
    const [of, , id] = JSON.parse(Buffer.from(String(next_cursor), 'base64url').toString()) as unknown[]
    for (const time of ['0000-01-01T00:00:00.000Z', '2026-02-30T00:00:00.000Z', '2026-01-01T00:00:00Z']) {
      const cursor = Buffer.from(JSON.stringify([of, [1, time], id])).toString('base64url')
      await stage.alice('post', stage.action('query'), { order: ['created_at'], cursor }).expect(400)
    }
  })

  test('a filter with an integer that would lose digits is refused, as it is in data', async () => {
    const filter = '{"field":"data.n","op":"eq","value":9007199254740993}'
    const answers = [
      await stage.alice('post', stage.action('query'), `{"filter":${filter}}`),
      await stage.alice('get', `${stage.path()}?filter=${encodeURIComponent(filter)}`),
    ]
    for (const { status, body } of answers) {
      expect([status, (body as { detail: string }).detail]).toEqual([
        422,
        'The number 9007199254740993 (value) has more digits than are kept; send it as a text.',
      ])
    }
  })

  test('what is no query is refused, and named', async () => {
    const none: [object, number][] = [
      [{ filter: { field: 'owner', op: 'eq', value: 'x' } }, 400],
      [{ filter: { field: "data.a' or true", op: 'eq', value: 'x' } }, 400],
      [{ filter: { field: 'data.a', op: 'eq', value: null } }, 400],
      [{ filter: { field: 'data.a', op: 'lt', value: true } }, 400],
      [{ filter: { field: 'data.a', op: 'eq', value: 'x', or: [] } }, 400],
      [{ filter: { and: [] } }, 400],
      [{ order: ['owner'] }, 400],
      [{ order: [] }, 400],
      [{ limit: 201 }, 400],
      [{ count: 'some' }, 400],
      [{ filter: { field: 'data.a', op: 'eq', value: 'a\0b' } }, 422],
      [{ filter: { field: 'data.a', op: 'in', value: Array.from({ length: 101 }, (_, n) => n) } }, 422],
    ]
    for (const [body, status] of none) {
      const refused = await stage.alice('post', stage.action('query'), body).expect(status)
      expect((refused.body as { detail: string }).detail).toMatch(/filter|order|limit|count/)
    }
    for (const words of ['filter={', 'filter=[]', 'order=data', 'select=owner', 'colour=red', 'cursor=!']) {
      await stage.alice('get', `${stage.path()}?${words}`).expect(400)
    }
  })
}
