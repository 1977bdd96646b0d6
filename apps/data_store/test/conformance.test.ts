import { afterAll, beforeAll, describe } from 'vitest'
import { bulkCases, BULK_BODY_LIMIT, MAX_RECORDS } from './conformance/bulk.ts'
import { bulkChangeCases } from './conformance/bulk-changes.ts'
import { changeCases } from './conformance/changes.ts'
import { ownerCases } from './conformance/owners.ts'
import { PAGE_MAX_BYTES, queryCases } from './conformance/queries.ts'
import { recordCases } from './conformance/records.ts'
import { repeatCases } from './conformance/repeats.ts'
import { stageOn } from './conformance/stage.ts'
import { ALL_BACKENDS, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  const limits = {
    RECORD_MAX_BYTES: '4096',
    RECORD_MAX_DEPTH: '8',
    BODY_LIMIT_BYTES: String(16 * 1024),
    PAGE_MAX_BYTES: String(PAGE_MAX_BYTES),
    BULK_MAX_RECORDS: String(MAX_RECORDS),
    BULK_BODY_LIMIT_BYTES: String(BULK_BODY_LIMIT),
  }
  setting = await startSetting(limits, { supabase: true })
}, 60_000)
afterAll(() => setting.close())

/** The one suite that every backend is held to. */
for (const backend of ALL_BACKENDS) {
  describe(backend, () => {
    const stage = stageOn(backend, () => setting)
    describe('a record', () => recordCases(stage))
    describe('changes of a record', () => changeCases(stage))
    describe('many records at once', () => bulkCases(stage))
    describe('changes by a filter', () => bulkChangeCases(stage))
    describe('queries', () => queryCases(stage))
    describe('owners', () => ownerCases(stage))
    describe('repeated requests', () => repeatCases(stage))
  })
}
