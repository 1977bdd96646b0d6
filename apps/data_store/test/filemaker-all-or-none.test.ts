import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { deletable } from '../src/backends/filemaker/row.ts'
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
const at = (action: string) => `/v1/filemaker/collections/notes/${action}`
const notes = () => setting.fileMaker.table('notes')
/** Alice's records as somebody sees them who works in FileMaker. */
const kept = () =>
  notes()
    .all([])
    .filter(({ fieldData }) => fieldData.owner === `user:alice-${String(nth)}`)
const create = (data: object, id = 'a') => alice('post', records('filemaker'), { id, data }).expect(201)
const createThree = () => {
  const given = ['a', 'b', 'c'].map((id) => ({ id, data: { title: id } }))
  return alice('post', `${records('filemaker')}/bulk`, { records: given }).expect(201)
}
const everything = { field: 'id', op: 'ne', value: '' }

describe('all or none', () => {
  test.each([
    ['FileMaker refuses one', { kind: 'error', code: '509' }, 422],
    ['the connection breaks before', { kind: 'drop' }, 503],
    ['the connection breaks after one was made', { kind: 'drop', done: true }, 503],
  ] as const)('no record is made when %s', async (_, fault, status) => {
    setting.fileMaker.fail({ kind: 'pause', before: () => undefined }, { times: 2, on: /^POST .*records$/ })
    setting.fileMaker.fail(fault, { on: /^POST .*records$/ })
    const given = ['a', 'b', 'c'].map((id) => ({ id, data: {} }))
    const { body } = await alice('post', `${records('filemaker')}/bulk`, { records: given }).expect(status)
    expect(kept()).toStrictEqual([])
    if (status === 422)
      expect(body).toMatchObject({ detail: expect.stringContaining('records[2].data') as string })
  })

  test('what cannot be taken back is no refusal, and the key of the request is not free again', async () => {
    const given = ['a', 'b', 'c'].map((id) => ({ id, data: {} }))
    const ask = () => {
      const path = `${records('filemaker')}/bulk`
      return alice('post', path, { records: given }).set('Idempotency-Key', `half-${String(nth)}`)
    }
    setting.fileMaker.fail({ kind: 'pause', before: () => undefined }, { times: 2, on: /^POST .*records$/ })
    setting.fileMaker.fail({ kind: 'error', code: '509' }, { on: /^POST .*records$/ })
    setting.fileMaker.fail({ kind: 'error', code: '301' }, { on: /^DELETE/ })
    const { body } = await ask().expect(502)
    expect(body).toMatchObject({ detail: expect.stringContaining('half way') as string })
    // The other one was taken back all the same.
    expect(kept().map(({ fieldData }) => fieldData.record_id)).toStrictEqual(['b'])
    await ask().expect(409)
  })

  test.each([
    ['FileMaker refuses one', { kind: 'error', code: '301' }],
    ['the connection breaks after one was changed', { kind: 'drop', done: true }],
  ] as const)('no record is changed when %s', async (_, fault) => {
    await createThree()
    setting.fileMaker.fail({ kind: 'pause', before: () => undefined }, { times: 2, on: /^PATCH/ })
    setting.fileMaker.fail(fault, { on: /^PATCH/ })
    await alice('post', at('bulk-patch'), { filter: everything, data: { title: 'x' } }).expect(503)
    const { body } = await alice('get', records('filemaker')).expect(200)
    const { items } = body as { items: { data: { title: string } }[] }
    expect(items.map(({ data }) => data.title)).toStrictEqual(['a', 'b', 'c'])
  })

  test('no record is deleted when somebody is typing in one of them', async () => {
    await createThree()
    const release = notes().lock(kept()[2]!.recordId)
    await alice('post', at('bulk-delete'), { filter: everything }).expect(503)
    release()
    expect(kept().map(({ fieldData }) => fieldData.record_id)).toStrictEqual(['a', 'b', 'c'])
    await alice('post', at('bulk-delete'), { filter: everything }).expect(200, { affected: 3 })
    expect(kept()).toStrictEqual([])
  })

  test('a deletion that FileMaker does not carry out gives the record back', async () => {
    await create({ title: 'Milk' })
    setting.fileMaker.fail({ kind: 'error', code: '802' }, { on: /^DELETE/ })
    await alice('delete', one).expect(503)
    expect((await alice('get', one).expect(200)).body).toMatchObject({ data: { title: 'Milk' } })
    expect(kept()).toHaveLength(1)
  })

  test('of many deleted ones that FileMaker keeps all the same nobody sees any', async () => {
    await createThree()
    setting.fileMaker.fail({ kind: 'error', code: '802' }, { times: 100, on: /^DELETE/ })
    await alice('post', at('bulk-delete'), { filter: everything }).expect(200, { affected: 3 })
    expect((await alice('get', records('filemaker')).expect(200)).body).toMatchObject({ items: [] })
    await alice('get', one).expect(404)
  })
})

test('of a record that is to be deleted no more is held than what gives it back', () => {
  const fieldData = { owner: 'user:alice', updated_at: '2026-01-01', data: '{"canary":1}', title: 'canary' }
  const record = {
    ...{ id: 'a', data: { canary: 1 }, version: 1, owner: 'alice', created_at: '', updated_at: '' },
    kept: { recordId: '7', modId: '0', fieldData },
  }
  expect(deletable(record)).toStrictEqual({
    id: 'a',
    kept: { recordId: '7', modId: '0', fieldData: { owner: 'user:alice', updated_at: '2026-01-01' } },
  })
})
