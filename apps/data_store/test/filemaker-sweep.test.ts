import { createLogger } from '@waybill/service-kit'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createSweep } from '../src/backends/filemaker/sweep.ts'
import type { Sweep, SweepOptions } from '../src/backends/filemaker/sweep.ts'
import { startStand } from './filemaker-stand.ts'
import type { FileMakerStand } from './filemaker-stand.ts'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

const FIELDS = ['owner', 'record_id', 'updated_at', 'data'].map((name) => ({ name, type: 'text' as const }))
const HOUR = 60 * 60_000
const ago = (ms: number) => new Date(Date.now() - ms).toISOString()

let stand: FileMakerStand
let sweep: Sweep
beforeAll(async () => {
  stand = await startStand({ notes: FIELDS, others: FIELDS })
})
afterAll(() => stand.close())
beforeEach(() => {
  sweep = sweepWith({})
})
afterEach(async () => {
  stand.fm.mend()
  await sweep.close()
  for (const table of ['notes', 'others'].map((layout) => stand.fm.table(layout)))
    for (const { recordId } of table.all([])) table.remove(recordId)
})

const sweepWith = (options: Partial<SweepOptions>) =>
  createSweep({
    ...{ api: stand.api, pageRecords: 2, log: createLogger({ service: 'x', level: 'silent' }) },
    ...options,
  })
const put = (id: string, owner: string, updated: string, layout = 'notes') =>
  stand.fm.table(layout).create({ record_id: id, owner, updated_at: updated, data: '{"canary":1}' })
const left = (layout = 'notes') =>
  stand.fm
    .table(layout)
    .all([])
    .map(({ fieldData }) => fieldData.record_id)

test('what a deletion left behind an hour ago is gone, and nothing else', async () => {
  put('kept', 'user:alice', ago(2 * HOUR))
  put('too new', 'deleted:user:alice', ago(HOUR - 60_000))
  for (const id of ['a', 'b', 'c']) put(id, 'deleted:user:alice', ago(HOUR + 60_000))
  put('also a tenant', 'deleted:tenant:acme', ago(2 * HOUR))
  put('looks like it', 'Deleted:user:alice', ago(2 * HOUR))
  put('no such scope', 'user:deleted:alice', ago(2 * HOUR))
  put('no time', 'deleted:user:alice', '')
  put('elsewhere', 'deleted:user:alice', ago(2 * HOUR), 'others')
  await sweep.start(['notes', 'others'])
  expect(left()).toEqual(['kept', 'too new', 'looks like it', 'no such scope'])
  expect(left('others')).toEqual([])
})

test('a record that somebody has open is left for the next time, and keeps back no other', async () => {
  const open = put('open', 'deleted:user:alice', ago(2 * HOUR))
  for (const id of ['a', 'b', 'c']) put(id, 'deleted:user:alice', ago(2 * HOUR))
  const letGo = stand.fm.table('notes').lock(open.recordId)
  await sweep.start(['notes'])
  expect(left()).toEqual(['open'])
  letGo()
  await sweep.start(['notes'])
  expect(left()).toEqual([])
})

test('it is done again from time to time', async () => {
  const again = Promise.withResolvers<undefined>()
  const before = () => {
    again.resolve(undefined)
  }
  sweep = sweepWith({ everyMs: 1 })
  await sweep.start(['notes'])
  put('a', 'deleted:user:alice', ago(2 * HOUR))
  stand.fm.fail({ kind: 'pause', before }, { on: /^DELETE/ })
  await again.promise
  await sweep.close()
  expect(left()).toEqual([])
})

test('a FileMaker that is away fails nothing, and a layout that is missing keeps back no other', async () => {
  put('a', 'deleted:user:alice', ago(2 * HOUR))
  await sweep.start(['missing', 'notes'])
  expect(left()).toEqual([])
  put('a', 'deleted:user:alice', ago(2 * HOUR))
  stand.fm.fail({ kind: 'drop' }, { on: /_find/ })
  await sweep.start(['notes', 'notes'])
  expect(left()).toEqual(['a'])
})

test('the service does it at its start, in every layout that is declared', async () => {
  const setting: Setting = await startSetting()
  try {
    const table = setting.fileMaker.table('tenant-notes')
    table.create({ record_id: 'a', owner: 'deleted:tenant:acme', updated_at: ago(2 * HOUR), data: '{}' })
    await setting.restart()
    expect(table.size).toBe(0)
  } finally {
    await setting.close()
  }
})
