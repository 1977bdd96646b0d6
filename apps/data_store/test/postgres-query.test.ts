import type { dataStore } from '@waybill/contracts'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RecordData, StoredRecord } from '../src/backend.ts'
import { comparePositions, matches, positionOf } from '../src/query/evaluate.ts'
import type { Position, SortKey } from '../src/query/query.ts'
import { operationOf, startPostgresSetting, userOf } from './postgres-setting.ts'
import type { PostgresSetting } from './postgres-setting.ts'

let setting: PostgresSetting
beforeAll(async () => {
  setting = await startPostgresSetting()
})
afterAll(() => setting.close())

const alice = operationOf(userOf('alice'))

/** Few values, so that equal ones meet; and those at which texts and numbers part ways. */
const text = fc.oneof(
  fc.constantFrom(
    '',
    'a',
    'A',
    'ab',
    'b',
    'ä',
    '\uffee',
    '😀',
    '😀a',
    '%',
    '_',
    '\\',
    '"',
    "'",
    '1',
    'true',
    'null',
    ' ',
  ),
  fc.string({ unit: 'grapheme', maxLength: 4 }).filter((value) => !value.includes('\0')),
)
const number = fc.oneof(
  fc.constantFrom(0, -0, 1, -1, 1.5, 0.1, 0.3, 0.1 + 0.2, 5e-324, 1e308, -1e308, 2 ** 53, 2 ** 53 + 2),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)
const scalar: fc.Arbitrary<dataStore.Scalar> = fc.oneof(text, number, fc.boolean())
const value: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 5, arbitrary: scalar },
  fc.constant(null),
  fc.array(fc.oneof(scalar, fc.constant(null), fc.array(scalar, { maxLength: 1 })), { maxLength: 3 }),
  // Members that look like places in an array, or like what JavaScript's objects inherit.
  fc.dictionary(
    fc.constantFrom('a', '0', '-1', '__proto__', 'toString'),
    fc.oneof(scalar, fc.constant(null)),
    {
      maxKeys: 3,
      noNullPrototype: true,
    },
  ),
)
const data = fc.dictionary(fc.constantFrom('a', 'b', '0'), value, { maxKeys: 3, noNullPrototype: true })
const field = fc.constantFrom(
  ...['id', 'version', 'created_at', 'updated_at', 'data'],
  ...[
    'data.a',
    'data.a',
    'data.b',
    'data.0',
    'data.a.a',
    'data.a.0',
    'data.b.-1',
    'data.a.__proto__',
    'data.b.toString',
  ],
)
/** What no record holds, a NUL, may be asked for all the same. */
const asked = fc.oneof({ weight: 9, arbitrary: text }, fc.constantFrom('\0', 'a\0b', 'r03', '2', '20'))

const comparison: fc.Arbitrary<dataStore.Comparison> = fc.oneof(
  fc.record({ field, op: fc.constantFrom('eq', 'ne'), value: fc.oneof(asked, scalar) }),
  fc.record({ field, op: fc.constantFrom('lt', 'le', 'gt', 'ge'), value: fc.oneof(asked, number) }),
  fc.record({
    field,
    op: fc.constant('in'),
    value: fc.array(fc.oneof(asked, scalar), { minLength: 1, maxLength: 4 }),
  }),
  fc.record({ field, op: fc.constant('contains'), value: fc.oneof(asked, scalar) }),
  fc.record({ field, op: fc.constant('prefix'), value: asked }),
  fc.record({ field, op: fc.constant('is_null') }),
)
const filter = fc.letrec<{ filter: dataStore.Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    comparison,
    fc.record({ and: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ or: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie('filter') }),
  ),
})).filter

const order = fc
  .array(fc.record({ field, descending: fc.boolean() }), { maxLength: 3 })
  .chain((keys) => fc.boolean().map((descending): SortKey[] => [...keys, { field: 'id', descending }]))

async function keep(all: readonly RecordData[]): Promise<StoredRecord[]> {
  await setting.admin('truncate records')
  const records = all.map((one, at) => ({ id: `r${String(at).padStart(2, '0')}`, data: one, name: 'data' }))
  const options = { includeVector: false, onConflict: 'error' } as const
  await setting.backend.create(alice, records.slice(0, 10), options)
  await setting.backend.create(alice, records.slice(10), options)
  // Times and versions that differ, some of them by a millisecond.
  await setting.admin(`update records set version = 1 + length(data::text) % 3,
    created_at = timestamptz '2026-11-25T09:59:59.999Z' + (length(data::text) % 4) * interval '1 ms'`)
  return all.length === 0 ? [] : setting.backend.find(alice, { ...everything, limit: 1_000 })
}

const byId: SortKey[] = [{ field: 'id', descending: false }]
const everything = { filter: undefined, order: byId, after: undefined, includeVector: false }

test('filters and orders mean what evaluate.ts says, page by page, and the count is that of all pages', async () => {
  const cases = fc.array(
    fc.tuple(fc.option(filter, { nil: undefined }), order, fc.integer({ min: 1, max: 7 })),
    {
      minLength: 6,
      maxLength: 6,
    },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(data, { minLength: 5, maxLength: 20 }), cases, async (all, asked) => {
      const stored = await keep(all)
      for (const [filter, order, limit] of asked) {
        const expected = stored
          .filter((record) => !filter || matches(filter, record))
          .sort((one, other) => comparePositions(positionOf(one, order), positionOf(other, order), order))
        const pages: StoredRecord[] = []
        let after: Position | undefined
        do {
          const page = await setting.backend.find(alice, {
            filter,
            order,
            after,
            limit,
            includeVector: false,
          })
          pages.push(...page)
          const last = page.at(-1)
          after = page.length === limit && last ? positionOf(last, order) : undefined
        } while (after && pages.length <= stored.length)
        expect(pages).toEqual(expected)
        expect(await setting.backend.count(alice, filter, 'exact')).toBe(expected.length)
      }
    }),
    { numRuns: 60 },
  )
}, 120_000)

test('a time is compared as the text that it is answered as, whether it looks like one or not', async () => {
  const [record] = await keep([{}])
  const now = record?.created_at ?? ''
  const times = [
    now,
    '2026',
    '2026-11-25T10:00:00Z',
    now.replace('Z', ''),
    `${now}0`,
    now.replace('11', '13'),
    'x',
    '',
  ]
  for (const value of times) {
    for (const op of ['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'prefix', 'contains'] as const) {
      const filter = { field: 'created_at', op, value } as dataStore.Filter // each of these operators takes a text
      const found = await setting.backend.count(alice, filter, 'exact')
      expect({ filter, found }).toEqual({ filter, found: record && matches(filter, record) ? 1 : 0 })
    }
  }
})

test('a text that no record can hold has its place among them', async () => {
  const stored = await keep([{ a: 'a' }, { a: 'aa' }, { a: '' }, { a: 'b' }, { a: ['a'] }])
  for (const value of ['a\0', 'a\0b', '\0', 'aa\0']) {
    for (const op of ['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'prefix', 'contains'] as const) {
      const filter = { field: 'data.a', op, value } as dataStore.Filter // each of these operators takes a text
      const found = await setting.backend.find(alice, { ...everything, filter, limit: 9 })
      expect(found, JSON.stringify(filter)).toEqual(stored.filter((record) => matches(filter, record)))
    }
  }
})

test('a position that no record ever had is a place all the same', async () => {
  await keep([{ a: 1 }, { a: 'x' }, {}])
  const strange = [[[0, 1e300]], [[1, 'a\0b']], [[1, 'r01']], [[2, true]], [[3]], [[4]], []] as Position[]
  for (const field of ['id', 'version', 'created_at', 'data', 'data.a']) {
    for (const after of strange) {
      for (const descending of [false, true]) {
        const order = [
          { field, descending },
          { field: 'id', descending: false },
        ]
        const query = {
          filter: undefined,
          order,
          after: [...after.slice(0, 1), [1, 'r01']] as Position,
          limit: 9,
          includeVector: false,
        }
        const expected = (await setting.backend.find(alice, { ...everything, limit: 9 }))
          .filter((one) => comparePositions(positionOf(one, order), query.after, order) > 0)
          .map(({ id }) => id)
        const found = await setting.backend.find(alice, query)
        expect(found.map(({ id }) => id).sort(), JSON.stringify(query)).toEqual(expected)
      }
    }
  }
})

test('texts stand in the order of their bytes, whatever language the database sorts by', async () => {
  const german = await startPostgresSetting({ icuLocale: 'de' })
  try {
    const [sorted] = await german.admin(`select 'a' < 'B' and 'ä' < 'b' as "asGermansDo"`)
    expect(sorted).toEqual({ asGermansDo: true })
    const texts = ['a', 'B', 'ä', 'b', 'a-b', 'aB', 'A_b', 'z']
    const records = texts.map((a, at) => ({
      id: `${a.replace('ä', 'Z')}${String(at)}`,
      data: { a },
      name: 'data',
    }))
    const stored = await german.backend.create(alice, records, { includeVector: false, onConflict: 'error' })
    for (const field of ['data.a', 'id']) {
      const order: SortKey[] = [{ field, descending: false }, ...byId]
      const inOrder = stored.toSorted((one, other) =>
        comparePositions(positionOf(one, order), positionOf(other, order), order),
      )
      expect(await german.backend.find(alice, { ...everything, order, limit: 99 })).toEqual(inOrder)
      for (const value of texts) {
        const filter: dataStore.Filter = { field, op: 'lt', value }
        expect(
          await german.backend.find(alice, { ...everything, order, filter, limit: 99 }),
          `${field} < ${value}`,
        ).toEqual(inOrder.filter((record) => matches(filter, record)))
      }
    }
  } finally {
    await german.close()
  }
})
