import { dataStore } from '@waybill/contracts'
import { expect, test } from 'vitest'
import type { Admission } from '../src/records/admission.ts'
import type { Backend } from '../src/backend.ts'
import type { Journal } from '../src/audit/journal.ts'
import { howManyWithin } from '../src/query/page.ts'
import { createRecordReads } from '../src/records/reads.ts'
import { operationOf, userOf } from './postgres-setting.ts'

test('a planned count says no more than PLANNED_COUNT_CEILING, however far the backend has counted', async () => {
  const operation = operationOf(userOf('alice'))
  const many = dataStore.PLANNED_COUNT_CEILING + 1
  // As much of a backend and of the journal as a page is made of.
  const backend = { find: () => Promise.resolve([]), count: () => Promise.resolve(many) } as Partial<Backend>
  const journal = { read: (_operation, work) => work() } as Partial<Journal>
  const admission: Admission = {
    admit: () => Promise.resolve({ backend: backend as Backend, operation, hasOwner: true }),
  }
  const limits = { maxConditions: 1, maxPageBytes: 1 }
  const reads = createRecordReads({ admission, journal: journal as Journal, limits })
  const count = async (mode: 'planned' | 'exact') => {
    const page = { limit: 1, includeVector: false, count: mode }
    return (await reads.query(operation.principal, { backend: 'lancedb', collection: 'notes' }, page)).count
  }
  expect([await count('planned'), await count('exact')]).toEqual([many - 1, many])
})

test('a page that its first record alone fills has that record, and goes on after it', () => {
  const record = (id: string) => ({
    id,
    data: {},
    version: 1,
    owner: 'alice',
    created_at: '',
    updated_at: '',
  })
  const records = ['a', 'b', 'c'].map(record)
  const { length } = JSON.stringify(records[0])
  expect([1, length, 2 * length, 3 * length - 1, 3 * length].map((most) => howManyWithin(most, records))).toEqual(
    [1, 1, 2, 2, 3],
  ) // prettier-ignore
  expect(howManyWithin(1, [])).toBe(0)
})
