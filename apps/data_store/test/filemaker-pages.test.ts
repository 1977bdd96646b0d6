import { afterAll, beforeAll, expect, test } from 'vitest'
import { records, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({ RECORD_MAX_BYTES: '4096', CLIENT_MAX_ANSWER_BYTES: '65536' })
})
afterAll(() => setting.close())

test('records too long to be read 500 at a time are read in shorter pages', async () => {
  const alice = await setting.as('alice')
  const ids = Array.from({ length: 30 }, (_, n) => `r${String(n).padStart(2, '0')}`)
  const given = ids.map((id) => ({ id, data: { title: '"'.repeat(1_900) } }))
  await alice('post', `${records('filemaker')}/bulk`, { records: given }).expect(201)
  setting.fileMaker.forget()
  const { body } = await alice('get', records('filemaker')).expect(200)
  expect((body as { items: { id: string }[] }).items.map(({ id }) => id)).toStrictEqual(ids)
  // The one that was too long, and then two new ones in each.
  expect(setting.fileMaker.seen).toHaveLength(1 + 15)
})

test('a record that is looked for by its id is not looked for among all of them', async () => {
  const alice = await setting.as('alice')
  setting.fileMaker.forget()
  const filter = {
    and: [
      { field: 'data.title', op: 'prefix', value: '"' },
      { field: 'id', op: 'in', value: ['r03', 'r04'] },
    ],
  }
  const { body } = await alice('post', '/v1/filemaker/collections/notes/query', { filter }).expect(200)
  expect((body as { items: { id: string }[] }).items.map(({ id }) => id)).toStrictEqual(['r03', 'r04'])
  expect(setting.fileMaker.seen.map((request) => JSON.parse(request.body) as object)).toStrictEqual([
    {
      query: [
        { owner: '==user:alice', record_id: '==r03' },
        { owner: '==user:alice', record_id: '==r04' },
      ],
      ...{ offset: 1, limit: 501 },
    },
  ])
})
