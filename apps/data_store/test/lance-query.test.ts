import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { dataStore } from '@waybill/contracts'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Backend, StoredRecord } from '../src/backend.ts'
import type { LanceTables } from '../src/backends/lancedb/tables.ts'
import { pushDown } from '../src/backends/lancedb/push-down.ts'
import { comparePositions, matches, positionOf } from '../src/query/evaluate.ts'
import type { Query } from '../src/query/query.ts'
import { given, openLance, operation } from './fixtures/lance.ts'

const alice = operation('alice')
const ALL: Query = {
  filter: undefined,
  order: [{ field: 'id', descending: false }],
  after: undefined,
  limit: 1_000,
  includeVector: false,
}
const IDS = ['A', 'B1', 'a', 'a.b', 'a:b', 'ab', 'b', 'z-9']

let folder: string
let tables: LanceTables
let backend: Backend
let kept: StoredRecord[]
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lance-'))
  ;({ tables, backend } = await openLance(folder))
  for (const who of [alice, operation('bob')]) {
    for (const [n, id] of IDS.entries()) {
      const data = { n: n % 3, text: ['é', '\u{1f600}', '\uffff'][n % 3], vector: [1, n] }
      await backend.create(who, [given(id, data)], { includeVector: false, onConflict: 'error' })
      for (let version = 1; version <= n % 3; version += 1) await backend.update(who, id, ({ data }) => data)
    }
  }
  kept = await backend.find(alice, { ...ALL, includeVector: true })
})
afterAll(async () => {
  await tables.close()
  await rm(folder, { recursive: true })
})

const scalar = fc.constantFrom(...IDS, '', "'", 'a\0', '\uffff', 0, 1, 2, 2.5, -1, 2 ** 31, 2 ** 40, true)
const field = fc.constantFrom(
  'id',
  'version',
  'created_at',
  'updated_at',
  'data.n',
  'data.text',
  'data.vector',
)
const comparison = fc.oneof(
  fc.record({ field, op: fc.constantFrom('eq', 'ne', 'contains'), value: scalar }),
  fc.record({
    field,
    op: fc.constantFrom('lt', 'le', 'gt', 'ge'),
    value: fc.oneof(
      scalar,
      fc.integer({ min: 0, max: 7 }).map((n) => kept[n]!.created_at),
    ),
  }),
  fc.record({ field, op: fc.constant('in'), value: fc.array(scalar, { minLength: 1, maxLength: 3 }) }),
  fc.record({ field, op: fc.constant('prefix'), value: fc.constantFrom('a', '', '2026', 'é') }),
  fc.record({ field, op: fc.constant('is_null') }),
)
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    comparison,
    fc.record({ and: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ or: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie('tree') }),
  ),
}))
const filters = tree as fc.Arbitrary<dataStore.Filter> // `true` with lt, which the contract refuses, matches nothing either way
const orders = fc
  .array(fc.record({ field, descending: fc.boolean() }), { maxLength: 2 })
  .chain((keys) => fc.boolean().map((descending) => [...keys, { field: 'id', descending }]))

const withoutVector = ({ data: { vector: _, ...data }, ...record }: StoredRecord) => ({ ...record, data })

test('find and count say what evaluate.ts says, page by page, and give nobody else’s', async () => {
  await fc.assert(
    fc.asyncProperty(
      filters,
      orders,
      fc.boolean(),
      fc.nat(8),
      async (filter, order, includeVector, least) => {
        const limit = least + 1
        const wanted = kept
          .filter((record) => matches(filter, record))
          .sort((one, other) => comparePositions(positionOf(one, order), positionOf(other, order), order))
        const found: StoredRecord[] = []
        while (found.length <= wanted.length) {
          const last = found.at(-1)
          const after = last && positionOf(last, order)
          const page = await backend.find(alice, { filter, order, after, limit, includeVector })
          found.push(...page)
          if (page.length < limit) break
        }
        expect(found).toEqual(includeVector ? wanted : wanted.map(withoutVector))
        expect(await backend.count(alice, filter, 'exact')).toBe(wanted.length)
      },
    ),
    { numRuns: 150 },
  )
})

test('a version is compared with any number, although its column has 32 bits, and a vector is a member of data', async () => {
  const count = (op: 'lt' | 'eq' | 'ge', value: number, field = 'version') =>
    backend.count(alice, { field, op, value }, 'exact')
  expect(await count('lt', 2 ** 31)).toBe(IDS.length)
  expect(await count('ge', -(2 ** 40))).toBe(IDS.length)
  expect(await count('eq', 2 ** 40)).toBe(0)
  expect(await count('lt', 1.5)).toBe(kept.filter(({ version }) => version === 1).length)
  const seven = { field: 'data.vector', op: 'contains', value: 7 } as const
  expect(await backend.count(alice, seven, 'exact')).toBe(1)
  expect(await backend.count(alice, { not: { field: 'data.vector', op: 'is_null' } }, 'exact')).toBe(
    IDS.length,
  )
  expect(await backend.updateMany(alice, seven, ({ data }) => data, 1)).toEqual(['z-9'])
})

test('what is asked of LanceDB lets through all that the filter does, and no more when it is exact', () => {
  const first = { field: 'id', op: 'gt', value: 'a' } as const
  const second = { field: 'data.n', op: 'eq', value: 1 } as const
  const pushed = { column: 'id', operator: '>', value: 'a' }
  expect(pushDown(first)).toEqual({ predicate: pushed, exact: true })
  expect(pushDown({ and: [first, second] })).toEqual({ predicate: { and: [pushed] }, exact: false })
  expect(pushDown({ or: [first, second] })).toEqual({ predicate: { and: [] }, exact: false })
  expect(pushDown({ not: { and: [first, second] } })).toEqual({ predicate: { and: [] }, exact: false })
  const many = Array.from({ length: 100 }, () => first)
  expect(pushDown({ or: many })).toEqual({ predicate: { and: [] }, exact: false })
})

test('a page by id reads no more than the page, whatever SCAN_MAX_RECORDS; others stop at it', async () => {
  const carol = operation('carol')
  const all = Array.from({ length: 1_001 }, (_, n) => given(String(n).padStart(4, '0'), { n }))
  await backend.create(carol, all, { includeVector: false, onConflict: 'error' })
  const parse = vi.spyOn(JSON, 'parse')
  const after = [[1, '0990']] as const
  const page = await backend.find(carol, { ...ALL, after: after.map(([rank, id]) => [rank, id]), limit: 5 })
  expect(page.map(({ id }) => id)).toEqual(['0991', '0992', '0993', '0994', '0995'])
  expect(parse).toHaveBeenCalledTimes(5)
  expect(await backend.count(carol, { field: 'id', op: 'ge', value: '0500' }, 'exact')).toBe(501)
  const tooMany = { code: 'unprocessable', message: expect.stringContaining('SCAN_MAX_RECORDS') as string }
  const none = { field: 'data.n', op: 'eq', value: -1 } as const
  await expect(backend.find(carol, { ...ALL, filter: none })).rejects.toMatchObject(tooMany)
  await expect(backend.count(carol, none, 'exact')).rejects.toMatchObject(tooMany)
  await expect(backend.deleteMany(carol, none, 9)).rejects.toMatchObject(tooMany)
  const within = { and: [none, { field: 'id', op: 'ge', value: '0500' } as const] }
  expect(await backend.find(carol, { ...ALL, filter: within })).toEqual([])
})
