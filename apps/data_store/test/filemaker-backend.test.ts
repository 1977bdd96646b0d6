import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { records, startSetting } from './setting.ts'
import type { Client, Setting } from './setting.ts'

let setting: Setting
let alice: Client
let nth = 0
beforeAll(async () => {
  // Pages so short that every list needs several.
  setting = await startSetting({ FILEMAKER_PAGE_RECORDS: '2' })
})
afterAll(() => setting.close())
beforeEach(async () => {
  setting.fileMaker.mend()
  nth += 1
  alice = await setting.as(`alice-${String(nth)}`)
})

const one = records('filemaker', 'notes', 'a')
const notes = () => setting.fileMaker.table('notes')
/** Alice's records as somebody sees them who works in FileMaker. */
const kept = () =>
  notes()
    .all([])
    .filter(({ fieldData }) => fieldData.owner === `user:alice-${String(nth)}`)
const first = () => kept()[0]!
const create = (data: object, id = 'a') => alice('post', records('filemaker'), { id, data }).expect(201)
const createThree = () => {
  const given = ['a', 'b', 'c'].map((id) => ({ id, data: { title: id } }))
  return alice('post', `${records('filemaker')}/bulk`, { records: given }).expect(201)
}

describe("what FileMaker's own users do", () => {
  test('members with a field of their own stand in it, line breaks and all', async () => {
    await create({ title: 'Milk', body: 'one\ntwo', stars: 4.5, done: true })
    expect(first().fieldData).toMatchObject({ title: 'Milk', body: 'one\rtwo', stars: 4.5 })
    const { body } = await alice('get', one).expect(200)
    expect(body).toMatchObject({
      version: 1,
      data: { title: 'Milk', body: 'one\ntwo', stars: 4.5, done: true },
    })
  })

  test('an edit comes back as the next version, and an older tag does not match any more', async () => {
    await create({ title: 'Milk', stars: 1, other: [null] })
    notes().edit(first().recordId, { title: 'Oat milk\rtwo cartons', stars: 2 })
    const { body, headers } = await alice('get', one).expect(200)
    expect(body).toMatchObject({
      version: 2,
      data: { title: 'Oat milk\ntwo cartons', stars: 2, other: [null] },
    })
    expect(headers.etag).toBe('"2"')
    await alice('patch', one, { data: { stars: 3 } })
      .set('If-Match', '"1"')
      .expect(412)
    await alice('patch', one, { data: { stars: 3 } })
      .set('If-Match', '"2"')
      .expect(200)
    expect(first().fieldData).toMatchObject({ title: 'Oat milk\rtwo cartons', stars: 3 })
  })

  test('an emptied text is empty, an emptied number is gone, and what was missing has come', async () => {
    await create({ title: 'Milk', stars: 1 })
    notes().edit(first().recordId, { title: '', stars: '', body: '12' })
    const { body } = await alice('get', one).expect(200)
    expect((body as { data: object }).data).toStrictEqual({ title: '', body: '12' })
  })

  test.each([
    { title: '' },
    {},
    { title: 'a\rb' },
    { title: 'a\r\nb\u2028c' },
    { title: ' 007 ' },
    { title: '\u0001' },
    { title: 'e\u0301' },
    { stars: 0 },
    { stars: -0.1 },
    { stars: 0.1 + 0.2 },
    { stars: 1e300 },
    { stars: 123456789012345.67 },
    { title: 'x', body: '', nested: { owner: 'user:bob', __proto__: 1 }, record_id: 'b' },
  ])('the data %j come back as they were, whatever FileMaker makes of its fields', async (data) => {
    await create(data)
    const { body } = await alice('get', one).expect(200)
    expect((body as { data: object }).data).toStrictEqual(JSON.parse(JSON.stringify(data)))
    await alice('patch', one, { data: { more: 1 } }).expect(200)
    const again = await alice('get', one).expect(200)
    expect((again.body as { data: object }).data).toStrictEqual({
      ...JSON.parse(JSON.stringify(data)),
      more: 1,
    })
  })

  test('a record deleted there is 404', async () => {
    await create({})
    notes().remove(first().recordId)
    await alice('get', one).expect(404)
    await alice('put', one, { data: {} }).expect(404)
    await alice('delete', one).expect(404)
  })

  test('a record made there needs an owner and an id only', async () => {
    notes().create({ owner: `user:alice-${String(nth)}`, record_id: 'made', title: 'By hand' })
    notes().create({ owner: `user:alice-${String(nth)}`, record_id: 'no id!', title: 'By hand' })
    const { body } = await alice('get', records('filemaker')).expect(200)
    expect(body).toMatchObject({ items: [{ id: 'made', version: 1, data: { title: 'By hand' } }] })
    expect((body as { items: unknown[] }).items).toHaveLength(1)
  })

  test('data that somebody broke there are 502 and name the record', async () => {
    await create({})
    notes().edit(first().recordId, { data: '{' })
    const { body } = await alice('get', one).expect(502)
    expect(body).toMatchObject({
      code: 'upstream_failed',
      detail: expect.stringContaining('record a') as string,
    })
  })

  test('a record that somebody is typing in is 503 with Retry-After, and stays as it is', async () => {
    await create({ title: 'Milk' })
    const release = notes().lock(first().recordId)
    const { headers } = await alice('patch', one, { data: { title: 'x' } }).expect(503)
    expect(headers['retry-after']).toBe('1')
    await alice('delete', one).expect(503)
    release()
    expect((await alice('get', one).expect(200)).body).toMatchObject({ version: 1, data: { title: 'Milk' } })
  })
})

describe('whoever was faster', () => {
  test('of 20 updates with one tag one wins', async () => {
    await create({ n: 0 })
    const tries = Array.from({ length: 20 }, (_, n) =>
      alice('patch', one, { data: { n } }).set('If-Match', '"1"'),
    )
    const statuses = (await Promise.all(tries)).map(({ status }) => status)
    expect(statuses.sort()).toStrictEqual([200, ...Array.from({ length: 19 }, () => 412)])
    expect((await alice('get', one)).body).toMatchObject({ version: 2 })
  })

  test('of one owner one write is under way at a time, so that nobody runs out of attempts', async () => {
    await create({})
    setting.fileMaker.forget()
    let finds = 0
    const before = async () => {
      // Time for the next one to begin, if it were let.
      for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate)
      finds = setting.fileMaker.seen.filter(({ url }) => url.endsWith('_find')).length
    }
    setting.fileMaker.fail({ kind: 'pause', before }, { on: /^PATCH/ })
    const tries = Array.from({ length: 20 }, (_, n) =>
      alice('patch', one, { data: { [`n${String(n)}`]: n } }),
    )
    expect((await Promise.all(tries)).every(({ status }) => status === 200)).toBe(true)
    expect(finds).toBe(1)
    const { body } = await alice('get', one).expect(200)
    expect(Object.keys((body as { data: object }).data)).toHaveLength(20)
  })

  test('an edit between reading and writing is not lost: the patch is made of what is there then', async () => {
    await create({ title: 'Milk', stars: 1 })
    const before = () => void notes().edit(first().recordId, { stars: 2 })
    setting.fileMaker.fail({ kind: 'pause', before }, { on: /^PATCH/ })
    const { body } = await alice('patch', one, { data: { title: 'Oat milk' } }).expect(200)
    expect(body).toMatchObject({ version: 3, data: { title: 'Oat milk', stars: 2 } })
  })

  test('an edit between reading and writing is 412 where a tag was named', async () => {
    await create({ title: 'Milk' })
    const before = () => void notes().edit(first().recordId, { stars: 2 })
    setting.fileMaker.fail({ kind: 'pause', before }, { on: /^PATCH/ })
    await alice('put', one, { data: {} }).set('If-Match', '"1"').expect(412)
    setting.fileMaker.fail({ kind: 'pause', before }, { on: /^PATCH/ })
    await alice('delete', one).set('If-Match', '"2"').expect(412)
    expect((await alice('get', one)).body).toMatchObject({ version: 3, data: { title: 'Milk', stars: 2 } })
  })

  test('of two processes that make one id the first one has it, and the other is told 409', async () => {
    const theirs = { owner: `user:alice-${String(nth)}`, record_id: 'a', data: '{"mine":false}' }
    const before = () => void notes().create(theirs)
    setting.fileMaker.fail({ kind: 'pause', before }, { on: /^POST .*records$/ })
    await alice('post', records('filemaker'), { id: 'a', data: { mine: true } }).expect(409)
    expect(kept().map(({ fieldData }) => fieldData.data)).toStrictEqual(['{"mine":false}'])
    const after = () => void notes().create({ ...theirs, record_id: 'b' })
    setting.fileMaker.fail({ kind: 'pause', before: () => undefined }, { on: /_find/ })
    setting.fileMaker.fail({ kind: 'pause', before: after }, { on: /_find/ })
    await alice('post', records('filemaker'), { id: 'b', data: { mine: true } }).expect(201)
    expect((await alice('get', records('filemaker', 'notes', 'b'))).body).toMatchObject({
      data: { mine: true },
    })
  })

  test('20 creations of one id leave one record', async () => {
    const tries = Array.from({ length: 20 }, () => alice('post', records('filemaker'), { id: 'a', data: {} }))
    const statuses = (await Promise.all(tries)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 201)).toHaveLength(1)
    expect(statuses.filter((status) => status === 409)).toHaveLength(19)
    expect(kept()).toHaveLength(1)
  })

  test('ids that differ by case are two records', async () => {
    await create({ n: 1 }, 'a')
    await create({ n: 2 }, 'A')
    expect((await alice('get', one)).body).toMatchObject({ id: 'a', data: { n: 1 } })
    await alice('delete', records('filemaker', 'notes', 'A')).expect(204)
    expect((await alice('get', one)).body).toMatchObject({ id: 'a', data: { n: 1 } })
  })
})

test('deletions between two pages make a list skip nothing', async () => {
  await createThree()
  await create({}, 'd')
  await create({}, 'e')
  const before = () => {
    for (const { recordId } of kept().slice(0, 2)) notes().remove(recordId)
  }
  setting.fileMaker.fail({ kind: 'pause', before: () => undefined }, { on: /_find/ })
  setting.fileMaker.fail({ kind: 'pause', before }, { on: /_find/ })
  const { body } = await alice('get', records('filemaker')).expect(200)
  expect((body as { items: { id: string }[] }).items.map(({ id }) => id)).toStrictEqual([
    'a',
    'b',
    'c',
    'd',
    'e',
  ])
})
