import { describe, expect, test } from 'vitest'
import { MAX_RECORDS } from './bulk.ts'
import type { Stage } from './stage.ts'

/** Records are changed and deleted by a filter, all of them or none. */
export function bulkChangeCases(stage: Stage): void {
  const patch = (body: object, client = stage.alice, collection = 'notes') =>
    client('post', stage.action('bulk-patch', collection), body)
  const remove = (body: object, client = stage.alice, collection = 'notes') =>
    client('post', stage.action('bulk-delete', collection), body)
  const red = { field: 'data.colour', op: 'eq', value: 'red' }
  const fill = async (client = stage.alice) => {
    for (const id of ['a', 'b', 'c']) await stage.create({ colour: 'red', n: 1 }, id, client)
    await stage.create({ colour: 'blue', n: 1 }, 'd', client)
  }
  const versions = async (client = stage.alice) =>
    Object.fromEntries((await stage.query({}, client)).items.map(({ id, version }) => [id, version]))

  test('a patch by a filter changes what it lets through, one version each, and nothing else', async () => {
    await fill()
    await fill(stage.bob)
    const answer = await patch({ filter: red, data: { n: 2, title: 'T', colour: null } }).expect(200)
    expect(answer.body).toEqual({ affected: 3 })
    expect(await versions()).toEqual({ a: 2, b: 2, c: 2, d: 1 })
    expect((await stage.stored('b')).data).toEqual({ n: 2, title: 'T' })
    expect((await stage.stored('d')).data).toEqual({ colour: 'blue', n: 1 })
    expect(await versions(stage.bob)).toEqual({ a: 1, b: 1, c: 1, d: 1 })
    expect((await patch({ filter: red, data: {} }).expect(200)).body).toEqual({ affected: 0 })
  })

  test('a deletion by a filter deletes what it lets through, the caller’s own only', async () => {
    await fill()
    await fill(stage.bob)
    expect((await remove({ filter: red }).expect(200)).body).toEqual({ affected: 3 })
    expect(await stage.kept()).toEqual(['d'])
    expect(await stage.kept(stage.bob)).toEqual(['a', 'b', 'c', 'd'])
    expect((await remove({ filter: red }).expect(200)).body).toEqual({ affected: 0 })
    // Whatever the filter says, it is asked of the caller's records.
    const all = { or: [{ not: red }, red] }
    expect((await remove({ filter: all }).expect(200)).body).toEqual({ affected: 1 })
    expect(await stage.kept(stage.bob)).toHaveLength(4)
  })

  test('more records than max_affected are 409, and none is touched', async () => {
    await fill()
    const detail = 'More than 2 records would be changed (max_affected), so none was.'
    for (const act of [
      patch({ filter: red, data: { n: 2 }, max_affected: 2 }),
      remove({ filter: red, max_affected: 2 }),
    ]) {
      expect((await act.expect(409)).body).toMatchObject({ code: 'conflict', detail })
    }
    expect(await versions()).toEqual({ a: 1, b: 1, c: 1, d: 1 })
    await patch({ filter: red, data: { n: 2 }, max_affected: 3 }).expect(200)
    await remove({ filter: red, max_affected: 3 }).expect(200)
    expect(await stage.kept()).toEqual(['d'])
  })

  test('max_affected above BULK_MAX_RECORDS is 422 that names it, and unless said it is no more than that', async () => {
    const records = Array.from({ length: MAX_RECORDS }, (_, n) => ({ data: { colour: 'red', n } }))
    await stage.alice('post', `${stage.path()}/bulk`, { records }).expect(201)
    for (const act of [patch, remove]) {
      const refused = await act({
        filter: red,
        max_affected: MAX_RECORDS + 1,
        ...(act === patch && { data: {} }),
      })
      expect([refused.status, (refused.body as { detail: string }).detail]).toEqual([
        422,
        'max_affected is 21; 20 is the most of one request (BULK_MAX_RECORDS).',
      ])
    }
    await stage.create({ colour: 'red' })
    await remove({ filter: red }).expect(409)
    await stage.alice('delete', stage.path('a')).expect(204)
    expect((await remove({ filter: red }).expect(200)).body).toEqual({ affected: MAX_RECORDS })
  })

  test('none is changed when what one of them would become is too much, or not as the schema has it', async () => {
    await fill()
    await stage.alice('patch', stage.path('c'), { data: { text: 'x'.repeat(3500) } }).expect(200)
    await patch({ filter: red, data: { more: 'x'.repeat(1000) } }).expect(413)
    const refused = await patch({ filter: red, data: { stars: 'many' } }).expect(422)
    expect((refused.body as { detail: string }).detail).toContain('data.stars must be number')
    expect(await versions()).toEqual({ a: 1, b: 1, c: 2, d: 1 })
  })

  test('at the same time as others, every change counts', async () => {
    await fill()
    const changes = Array.from({ length: 6 }, (_, n) =>
      n % 2 === 0
        ? patch({ filter: red, data: { [`by${String(n)}`]: n } }).expect(200)
        : stage.alice('patch', stage.path('a'), { data: { [`by${String(n)}`]: n } }).expect(200),
    )
    await Promise.all(changes)
    const by = (...numbers: number[]) => Object.fromEntries(numbers.map((n) => [`by${String(n)}`, n]))
    expect(await stage.stored('a')).toMatchObject({ version: 7, data: by(0, 1, 2, 3, 4, 5) })
    expect(await stage.stored('b')).toMatchObject({ version: 4, data: by(0, 2, 4) })
  })

  test('of concurrent deletions by one filter each record is counted once', async () => {
    await fill()
    const answers = await Promise.all(Array.from({ length: 5 }, () => remove({ filter: red })))
    const affected = answers.flatMap(({ status, body }) =>
      status === 200 ? [(body as { affected: number }).affected] : [],
    )
    expect(affected.reduce((sum, one) => sum + one, 0)).toBe(3)
    expect(answers.filter(({ status }) => status >= 500)).toEqual([])
    expect(await stage.kept()).toEqual(['d'])
  })

  test('where each record wants its own tag, none is changed by a filter', async () => {
    await stage.alice('post', stage.at('strict'), { id: 'a', data: {} }).expect(201)
    const filter = { field: 'id', op: 'eq', value: 'a' }
    await patch({ filter, data: { n: 1 } }, stage.alice, 'strict').expect(428)
    await remove({ filter }, stage.alice, 'strict').expect(428)
    const replace = { records: [{ id: 'a', data: {} }], on_conflict: 'replace' }
    await stage.alice('post', `${stage.at('strict')}/bulk`, replace).expect(428)
    expect((await stage.alice('get', stage.at('strict', 'a')).expect(200)).body).toMatchObject({ version: 1 })
  })

  describe('bad input is named, and nothing is changed', () => {
    test.each<[string, object, number]>([
      ['no filter', { data: {} }, 400],
      ['a filter that is none', { filter: { field: 'data.n', op: 'like', value: 1 }, data: {} }, 400],
      ['a field that is none', { filter: { field: 'owner', op: 'eq', value: 'a' }, data: {} }, 400],
      ['max_affected 0', { filter: red, data: {}, max_affected: 0 }, 400],
      ['another member', { filter: red, data: {}, owner: 'bob' }, 400],
      ['NUL in the filter', { filter: { ...red, value: 'a\0' }, data: {} }, 422],
    ])('%s', async (_, body, status) => {
      await fill()
      await patch(body).expect(status)
      const { data: _data, ...deletion } = body as { data?: object }
      await remove(deletion).expect(status)
      expect(await versions()).toEqual({ a: 1, b: 1, c: 1, d: 1 })
    })
  })
}
