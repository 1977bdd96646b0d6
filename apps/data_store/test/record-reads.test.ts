import { dataStore } from '@waybill/contracts'
import { expect, test } from 'vitest'
import type { Admission } from '../src/admission.ts'
import type { Backend } from '../src/backend.ts'
import type { Journal } from '../src/journal.ts'
import { createRecordReads } from '../src/record-reads.ts'
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
  const reads = createRecordReads({ admission, journal: journal as Journal, limits: { maxConditions: 1 } })
  const count = async (mode: 'planned' | 'exact') => {
    const page = { limit: 1, includeVector: false, count: mode }
    return (await reads.query(operation.principal, { backend: 'lancedb', collection: 'notes' }, page)).count
  }
  expect([await count('planned'), await count('exact')]).toEqual([many - 1, many])
})
