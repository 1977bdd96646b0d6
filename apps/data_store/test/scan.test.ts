import type { dataStore } from '@waybill/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BULK_CHANGE_BYTES } from '../src/backend.ts'
import type { StoredRecord } from '../src/backend.ts'
import { comparePositions, matches, positionOf } from '../src/query/evaluate.ts'
import type { Query } from '../src/query/query.ts'
import { scanCount, scanPage, scanProjection, scanSelection } from '../src/query/scan.ts'

const record = (id: string, data: Record<string, unknown> = {}): StoredRecord => ({
  id,
  data,
  version: 1,
  owner: 'alice',
  created_at: '2026-01-01T00:00:00.000Z',
  updated_at: '2026-01-01T00:00:00.000Z',
})
const BY_ID = [{ field: 'id', descending: false }]
const ALL: Query = { filter: undefined, order: BY_ID, after: undefined, limit: 10, includeVector: false }
const many = Array.from({ length: 30 }, (_, n) => record(String(n).padStart(2, '0'), { n }))
const even: dataStore.Filter = {
  field: 'data.n',
  op: 'in',
  value: many.map((_, n) => n).filter((n) => n % 2 === 0),
}

/** `records` in batches of that size, and what became of the source. */
function source(records: readonly StoredRecord[], size = 4) {
  const state = { given: 0, closed: false }
  async function* batches(): AsyncGenerator<StoredRecord[]> {
    try {
      for (let at = 0; at < records.length; at += size) {
        const batch = records.slice(at, at + size)
        state.given += batch.length
        yield await Promise.resolve(batch)
      }
    } finally {
      state.closed = true
    }
  }
  return { batches: batches(), state }
}

const value = fc.oneof(
  fc.integer({ min: -2, max: 2 }),
  fc.constantFrom('a', 'b', 'é', '\u{1f600}', '\uffff', ''),
  fc.boolean(),
  fc.constantFrom(null, undefined, [], {}),
)
const filter = fc.option(
  fc.oneof(
    fc.record({
      field: fc.constant('data.a'),
      op: fc.constant('ne' as const),
      value: fc.constantFrom(1, 'a'),
    }),
    fc.record({ field: fc.constant('data.b'), op: fc.constant('is_null' as const) }),
    fc.record({
      field: fc.constant('data.a'),
      op: fc.constant('ge' as const),
      value: fc.constantFrom(0, 'b'),
    }),
  ),
  { nil: undefined },
)
const order = fc
  .array(fc.record({ field: fc.constantFrom('data.a', 'data.b'), descending: fc.boolean() }), {
    maxLength: 2,
  })
  .chain((keys) => fc.boolean().map((descending) => [...keys, { field: 'id', descending }]))

test('pages, count and selection are those of a naive filter and sort, whatever the order of the source', async () => {
  const given = fc.array(fc.record({ a: value, b: value }), { maxLength: 40 })
  const size = fc.integer({ min: 1, max: 7 })
  await fc.assert(
    fc.asyncProperty(given, filter, order, size, size, async (all, filter, order, limit, batch) => {
      const records = all.map((data, n) => record(String((n * 7) % 41), data))
      const wanted = records
        .filter((one) => filter === undefined || matches(filter, one))
        .sort((one, other) => comparePositions(positionOf(one, order), positionOf(other, order), order))
      const pages: StoredRecord[] = []
      while (pages.length <= wanted.length) {
        const last = pages.at(-1)
        const query = { ...ALL, filter, order, after: last && positionOf(last, order), limit }
        const page = await scanPage(source(records, batch).batches, query, { maxRecords: 40 })
        pages.push(...page)
        if (page.length < limit) break
      }
      expect(pages).toEqual(wanted)
      expect(await scanCount(source(records, batch).batches, filter, { maxRecords: 40 })).toBe(wanted.length)
    }),
  )
})

test('a source in the order of the query is left when there are enough', async () => {
  const { batches, state } = source(many)
  const page = await scanPage(batches, { ...ALL, filter: even, limit: 3 }, { maxRecords: 6, inOrder: true })
  expect(page.map(({ id }) => id)).toEqual(['00', '02', '04'])
  expect(state).toEqual({ given: 8, closed: true })
})

test('as many records as the setting are looked at, and not one more', async () => {
  const tooMany = { code: 'unprocessable', message: expect.stringContaining('SCAN_MAX_RECORDS') as string }
  await expect(scanPage(source(many).batches, ALL, { maxRecords: 30 })).resolves.toHaveLength(10)
  const { batches, state } = source(many)
  await expect(scanPage(batches, ALL, { maxRecords: 29 })).rejects.toMatchObject(tooMany)
  expect(state.closed).toBe(true)
  await expect(scanCount(source(many).batches, even, { maxRecords: 29 })).rejects.toMatchObject(tooMany)
  await expect(
    scanSelection(source(many).batches, even, { maxRecords: 29, maxAffected: 15 }),
  ).rejects.toMatchObject(tooMany)
})

test('a selection larger than BULK_CHANGE_BYTES is refused as soon as that is known; of a projection nothing else is held', async () => {
  const text = 'x'.repeat(BULK_CHANGE_BYTES / 4)
  const large = many.map(({ id, data }) => record(id, { ...data, text }))
  const limits = { maxRecords: 30, maxAffected: 30 }
  const { batches, state } = source(large, 2)
  await expect(scanSelection(batches, even, limits)).rejects.toMatchObject({
    code: 'unprocessable',
    message: expect.stringContaining(String(BULK_CHANGE_BYTES)) as string,
  })
  expect(state).toEqual({ given: 8, closed: true })
  const ids = await scanProjection(source(large).batches, even, limits, ({ id }) => id)
  expect(ids).toHaveLength(15)
})

test('a selection of more than may be affected is refused as soon as that is known', async () => {
  const limits = { maxRecords: 30 }
  const all = await scanSelection(source(many).batches, even, { ...limits, maxAffected: 15 })
  expect(all.map(({ data }) => data.n)).toEqual(even.value)
  const { batches, state } = source(many)
  await expect(scanSelection(batches, even, { ...limits, maxAffected: 3 })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('max_affected') as string,
  })
  expect(state).toEqual({ given: 8, closed: true })
})
