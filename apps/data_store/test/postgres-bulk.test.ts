import type { dataStore } from '@waybill/contracts'
import type { KyselyPlugin } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BULK_CHANGE_BYTES } from '../src/backend.ts'
import { createPostgresBackend } from '../src/backends/postgres/backend.ts'
import { operationOf, startPostgresSetting, userOf } from './postgres-setting.ts'
import type { PostgresSetting } from './postgres-setting.ts'

// Bulk changes of records that are as large as records may be.

let setting: PostgresSetting
const BYTES = 256 * 1024
const COUNT = BULK_CHANGE_BYTES / BYTES + 1
beforeAll(async () => {
  setting = await startPostgresSetting()
  await setting.admin(`insert into records (scope, owner, collection, id, data)
    select 'user', 'alice', 'notes', n, jsonb_build_object('text', repeat('x', ${String(BYTES)})) from generate_series(1, ${String(COUNT)}) as n`)
})
afterAll(() => setting.close())

const alice = operationOf(userOf('alice'))
const all: dataStore.Filter = { field: 'id', op: 'ge', value: '0' }

/** The backend, and how many bytes the rows have that come back to it. */
function watched() {
  const seen = { bytes: 0 }
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult({ result }) {
      seen.bytes += JSON.stringify(result.rows).length
      return Promise.resolve(result)
    },
  }
  const backend = createPostgresBackend({
    ...setting.database,
    withPrincipal: (principal, work, options) =>
      setting.database.withPrincipal(principal, (tx) => work(tx.withPlugin(plugin)), options),
  })
  return { backend, seen }
}

test('what is larger than BULK_CHANGE_BYTES together is not patched, and refused before it is read', async () => {
  const { backend, seen } = watched()
  await expect(backend.updateMany(alice, all, () => ({}), 1_000)).rejects.toMatchObject({
    code: 'unprocessable',
    message: expect.stringContaining(String(BULK_CHANGE_BYTES)) as string,
  })
  await expect(backend.updateMany(alice, all, () => ({}), 10)).rejects.toMatchObject({ code: 'conflict' })
  expect(seen.bytes).toBeLessThan(BYTES)
  expect(await setting.admin('select from records where version > 1')).toEqual([])
})

test('what is deleted is not read, however large it is', async () => {
  const { backend, seen } = watched()
  await expect(backend.deleteMany(alice, all, 10)).rejects.toMatchObject({ code: 'conflict' })
  expect(await backend.deleteMany(alice, all, 1_000)).toHaveLength(COUNT)
  expect(seen.bytes).toBeLessThan(BYTES)
})
