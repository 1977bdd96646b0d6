import type { dataStore } from '@waybill/contracts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StoredRecord } from '../src/backend.ts'
import { pushDown } from '../src/backends/supabase/push-down.ts'
import { comparePositions, matches, positionOf } from '../src/query/evaluate.ts'
import { sortKeys } from '../src/query/page.ts'
import { HOSTILE } from './setting.ts'
import { onPostgrest } from './fixtures/on-postgrest.ts'
import { startSupabaseStand } from './supabase-stand.ts'
import type { SupabaseStand } from './supabase-stand.ts'

/** Texts that mean something to PostgREST, to `like`, to JSON or to SQL. */
const TEXTS = [
  ...HOSTILE,
  ...['a,b', 'c"d', ')', '(', '*', '%', '_', '\\', 'a*b', 'a%b', 'a_b', 'a\\b', '"', '{a}', '[1]', 'a.b'],
  ...[
    'null',
    'true',
    '5',
    '',
    ' ',
    'eq.5',
    'not.null',
    'ä',
    'Ä',
    '\u{1f600}',
    '\uffff',
    'and(',
    'id.eq.x',
    '\t',
  ],
]
const VALUES: unknown[] = [
  ...TEXTS,
  ...[0, 1, -1, 5, 5.5, 1e21, -1e300, 1e-7, true, false, null, [], {}, [5], ['a,b'], ['5'], [null], [[5]]],
  ...[{ b: 5 }, { b: 'x' }, { b: null }, { b: { c: 5 } }, [{ b: 5 }], ['*', '%', 'c"d', true], '5.0'],
]
/** What Date makes of the first years past 9999 and before 0, and its last and first; no record is of then. */
const EXTENDED_YEARS = [
  '+010000-01-01T00:00:00.000Z',
  '+275760-09-13T00:00:00.000Z',
  '-000001-01-01T00:00:00.000Z',
  '-271821-04-20T00:00:00.000Z',
]
const FIELDS = ['data.a', 'data.a.b', 'data.a.b.c', 'data.a-x', 'data.0', 'data.a.0', 'data.missing']

let stand: SupabaseStand
let kept: StoredRecord[]
onPostgrest(
  async () => {
    stand = await startSupabaseStand()
    const records = VALUES.map((value, at) => ({
      id: `r${String(at).padStart(2, '0')}${['_', '.', ':', 'Z', '-'][at % 5] ?? ''}`,
      data: { a: value, 'a-x': value, 0: value },
      name: 'data',
    }))
    await stand.backend.create(stand.as('alice'), [...records, { id: 'empty', data: {}, name: 'data' }], {
      includeVector: false,
      onConflict: 'error',
    })
    await stand.backend.create(stand.as('bob'), records, { includeVector: false, onConflict: 'error' })
    await stand.backend.update(stand.as('alice'), 'empty', () => ({}))
    kept = await stand.backend.find(stand.as('alice'), {
      ...EVERYTHING,
      order: sortKeys(),
      filter: undefined,
    })
  },
  () => stand.close(),
)

const EVERYTHING = { after: undefined, limit: 1_000, includeVector: false }

const scalar = fc.oneof(
  fc.constantFrom(...TEXTS, 0, 1, 2, 5, 5.5, -1, 1e21, 2 ** 31, -0.5, 1.5, true, false),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)
const time = fc.constantFrom(
  '2026',
  '2026-11-25',
  '2027-01-01T00:00:00.000Z',
  '',
  'Z',
  '2',
  '20261',
  '9999',
  '\0',
  ...EXTENDED_YEARS,
)
const known = fc.nat().map((at) => kept[at % kept.length]!)
const field = fc.constantFrom(...FIELDS, 'data.a', 'data.a', 'id', 'version', 'created_at', 'updated_at')
const value = fc.oneof(
  { weight: 4, arbitrary: scalar },
  time,
  known.map(({ id }) => id),
  known.map(({ created_at: at }) => at),
)
const ordered = value.filter((one): one is string | number => typeof one !== 'boolean')
const texts = value.map(String)
const comparison: fc.Arbitrary<dataStore.Filter> = fc.oneof(
  fc.record({ field, op: fc.constantFrom('eq', 'ne', 'contains'), value }),
  fc.record({ field, op: fc.constantFrom('lt', 'le', 'gt', 'ge'), value: ordered }),
  fc.record({ field, op: fc.constant('in'), value: fc.array(value, { minLength: 1, maxLength: 4 }) }),
  fc.record({ field, op: fc.constant('prefix'), value: texts }),
  fc.record({ field, op: fc.constant('is_null') }),
)
const { filter } = fc.letrec<{ filter: dataStore.Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3 },
    { weight: 3, arbitrary: comparison },
    fc.record({ and: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ or: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie('filter') }),
  ),
}))
const order = fc
  .array(fc.constantFrom('-id', 'version', '-version', 'created_at', '-updated_at', 'data.a', '-data.a'), {
    maxLength: 2,
  })
  .map(sortKeys)

describe('a query on PostgREST', () => {
  test('finds and counts what evaluate.ts lets through, in its order, from any position, and nobody else’s', async () => {
    const run = fc.asyncProperty(filter, order, fc.nat(), async (wanted, keys, from) => {
      const expected = kept
        .filter((record) => matches(wanted, record))
        .sort((one, other) => comparePositions(positionOf(one, keys), positionOf(other, keys), keys))
      const operation = stand.as('alice')
      const before = expected[from % (expected.length + 1)]
      const after = before && positionOf(before, keys)
      const rest = before ? expected.slice(expected.indexOf(before) + 1) : expected
      const query = { ...EVERYTHING, limit: 7, filter: wanted, order: keys, after }
      expect(await stand.backend.find(operation, query)).toEqual(rest.slice(0, 7))
      expect(await stand.backend.count(operation, wanted, 'exact')).toBe(expected.length)
    })
    await fc.assert(run, { numRuns: 400 })
  }, 120_000)

  test.each<[string, dataStore.Filter]>([
    ['a text', { field: 'data.a', op: 'eq', value: 'c"d' }],
    ['not a text', { field: 'data.a.b', op: 'ne', value: 'x' }],
    ['a number', { field: 'data.a', op: 'lt', value: 5 }],
    ['a part of a text', { not: { field: 'data.a', op: 'contains', value: 'a%' } }],
    ['a beginning', { field: 'data.a', op: 'prefix', value: '_' }],
    ['null', { field: 'data.a', op: 'is_null' }],
    ['an id', { field: 'id', op: 'gt', value: 'r1' }],
    ['a day', { field: 'created_at', op: 'prefix', value: '2026-11' }],
    ['half a version', { field: 'version', op: 'gt', value: 1.5 }],
  ])('leaves %s to the database, which sends no more than was asked for', async (_name, wanted) => {
    const expected = kept.filter((record) => matches(wanted, record))
    const operation = stand.as('alice')
    stand.proxy.passed.length = 0
    const found = await stand.backend.find(operation, { ...EVERYTHING, filter: wanted, order: sortKeys() })
    expect(found).toEqual(expected)
    expect(pushDown(wanted).exact).toBe(true)
    expect(stand.proxy.passed).toHaveLength(1)
    expect(stand.proxy.passed[0]).toMatchObject({ method: 'GET' })
  })

  test('looks itself at what PostgREST cannot say, or would say in too long a URL, and no further than it may', async () => {
    const longOnes = Array.from({ length: 40 }, (_, at) => `${'x'.repeat(400)}${String(at)}`)
    const long: dataStore.Filter = { field: 'data.a', op: 'in', value: [...longOnes, 'c"d'] }
    const query = { ...EVERYTHING, filter: long, order: sortKeys() }
    const found = await stand.backend.find(stand.as('alice'), query)
    expect(found.map(({ data }) => data.a)).toEqual(['c"d'])

    const narrow = await startSupabaseStand({ maxScanned: 1 })
    try {
      const two = ['one', 'two'].map((id) => ({ id, data: {}, name: 'data' }))
      await narrow.backend.create(narrow.as('alice'), two, { includeVector: false, onConflict: 'error' })
      await expect(narrow.backend.find(narrow.as('alice'), query)).rejects.toMatchObject({
        code: 'unprocessable',
        message: expect.stringContaining('SCAN_MAX_RECORDS') as string,
      })
    } finally {
      await narrow.close()
    }
  })

  test('a planned count is counted, to PLANNED_COUNT_CEILING, and what others have written does not change it', async () => {
    const operation = stand.as('erin')
    const some = (count: number, from: number) =>
      Array.from({ length: count }, (_, n) => ({ id: `e${String(from + n)}`, data: {}, name: 'data' }))
    const once = { includeVector: false, onConflict: 'error' } as const
    const planned = () => stand.backend.count(operation, { field: 'id', op: 'ge', value: 'e' }, 'planned')
    await stand.backend.create(operation, some(3, 0), once)
    await stand.backend.create(stand.as('mallory'), some(500, 0), once)
    stand.as('erin')
    expect(await planned()).toBe(3)
    await stand.backend.create(operation, some(1_000, 3), once)
    expect(await planned()).toBe(1_000)
  })
})
