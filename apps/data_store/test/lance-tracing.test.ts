import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { doEverything, OPERATIONS } from './fixtures/every-operation.ts'
import { openLance, operation } from './fixtures/lance.ts'

const spans = vi.hoisted((): unknown[] => [])
vi.mock('@waybill/telemetry', async (original) => ({
  ...(await original<object>()),
  withSpan: <T>(name: string, attributes: object, work: () => Promise<T>) => {
    spans.push({ name, ...attributes })
    return work()
  },
}))

test('each operation has a span by the name that it has in every backend', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lance-'))
  const { tables, backend } = await openLance(folder)
  await doEverything(backend, operation('alice'))
  const request = { text: 'canary', vector: undefined, limit: 1, includeVector: false }
  await backend.search!(operation('alice'), request)
  expect(spans).toEqual(
    [...OPERATIONS, 'search'].map((name) => ({
      name: 'vector_store.operation',
      'db.system.name': 'lancedb',
      'db.operation.name': name,
      'db.collection.name': 'notes',
    })),
  )
  await tables.close()
  await rm(folder, { recursive: true })
})
