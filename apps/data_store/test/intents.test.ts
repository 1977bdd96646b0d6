import { describeAudit } from '@waybill/database'
import { createLogger, Problem } from '@waybill/service-kit'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Backend } from '../src/backend.ts'
import { createJournal } from '../src/audit/journal.ts'
import { createOpenIntents } from '../src/audit/open-intents.ts'
import { operationOf, startPostgresSetting, userOf } from './postgres-setting.ts'
import type { PostgresSetting } from './postgres-setting.ts'

// What the audit says of a write to a store that has no part in our transactions.

let setting: PostgresSetting
beforeAll(async () => {
  setting = await startPostgresSetting()
})
beforeEach(() => setting.admin('truncate audit, open_intents'))
afterAll(() => setting.close())

const operation = operationOf(userOf('alice'))
const rows = async () =>
  (await setting.admin('select outcome, details from audit order by id')).map(({ outcome, details }) => {
    const { intent: _intent, ...said } = details as Record<string, unknown>
    return [outcome, said]
  })

test('an intent is closed once: by its outcome, or as interrupted', async () => {
  const intents = createOpenIntents(setting.database)
  const row = (outcome: 'intent' | 'success') => describeAudit({ ...operation.succeeded, outcome })
  const late = await intents.open(row('intent'))
  expect(await intents.settle(0)).toBe(1)
  await intents.close(late, row('success'))
  const first = await intents.open(row('intent'))
  await intents.close(first, row('success'))
  await intents.close(first, row('success'))
  expect(await intents.settle(0)).toBe(0)
  expect((await rows()).map(([outcome]) => outcome)).toEqual(['intent', 'failure', 'intent', 'success'])
})

describe('a write that failed', () => {
  const elsewhere = { auditsWrites: false } as Backend // nothing else of it is looked at
  const failing = async (error: unknown) => {
    const log = createLogger({ service: 'data_store', level: 'silent' })
    const journal = createJournal({
      ...{ database: setting.database, batchMs: 0, bufferSize: 1, interruptedAfterMs: 60_000, log },
    })
    await expect(journal.write(elsewhere, operation, () => Promise.reject(error as Error))).rejects.toBe(
      error,
    )
    await journal.close()
    return (await rows())[1]
  }

  test('is audited as unknown unless the store has refused it: it may have been done', async () => {
    const lost = new Problem('upstream_failed', 'no answer')
    expect(await failing(lost)).toEqual(['failure', { code: 'unknown', cause: 'upstream_failed' }])
    await setting.admin('truncate audit')
    expect(await failing(new Error('canary'))).toEqual(['failure', { code: 'unknown', cause: 'internal' }])
  })

  test.each(['conflict', 'unprocessable', 'not_implemented'] as const)(
    'is audited with the code of its refusal, which did nothing: %s',
    async (code) => {
      expect(await failing(new Problem(code, 'no'))).toEqual(['failure', { code }])
    },
  )
})
