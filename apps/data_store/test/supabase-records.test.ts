import { Problem } from '@waybill/service-kit'
import { beforeEach, describe, expect, test } from 'vitest'
import type { CreateOptions, StoredRecord } from '../src/backend.ts'
import { sortKeys } from '../src/query/page.ts'
import { HOSTILE } from './setting.ts'
import { onPostgrest } from './fixtures/on-postgrest.ts'
import { startSupabaseStand } from './supabase-stand.ts'
import type { SupabaseStand } from './supabase-stand.ts'

let stand: SupabaseStand
onPostgrest(
  async () => {
    stand = await startSupabaseStand()
  },
  () => stand.close(),
)
beforeEach(async () => {
  await stand.admin('delete from notes')
  stand.proxy.passed.length = 0
  stand.proxy.answerInstead = undefined
})

const OPTIONS: CreateOptions = { includeVector: false, onConflict: 'error' }
const REPLACE: CreateOptions = { includeVector: false, onConflict: 'replace' }
const ALL = { filter: undefined, order: sortKeys(), after: undefined, limit: 1_000, includeVector: false }
const named = (ids: string[], data: Record<string, unknown> = {}) =>
  ids.map((id) => ({ id, data, name: 'data' }))
const everything = { field: 'version', op: 'ge' as const, value: 1 }

describe('records in Supabase', () => {
  test('come back in the order of the request, all of them or, when one is taken, none, and it is named', async () => {
    const { backend } = stand
    const made = await backend.create(stand.as('alice'), named(['c', 'a', 'b']), OPTIONS)
    expect(made.map(({ id, version, owner }) => [id, version, owner])).toEqual([
      ['c', 1, 'alice'],
      ['a', 1, 'alice'],
      ['b', 1, 'alice'],
    ])
    const more = Array.from({ length: 40 }, (_, at) => `n${String(at)}`)
    await expect(backend.create(stand.as('alice'), named([...more, 'b']), OPTIONS)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('record b ') as string,
    })
    expect(await backend.count(stand.as('alice'), undefined, 'exact')).toBe(3)
    // Another's id is not taken.
    await backend.create(stand.as('bob'), named(['b']), OPTIONS)
  })

  test('are replaced by an upsert with the next version, and were created when they were', async () => {
    const { backend } = stand
    const [first] = await backend.create(stand.as('alice'), named(['a'], { n: 1 }), OPTIONS)
    const [replaced, fresh] = await backend.create(stand.as('alice'), named(['a', 'z'], { n: 2 }), REPLACE)
    expect(replaced).toMatchObject({ id: 'a', version: 2, data: { n: 2 }, created_at: first!.created_at })
    expect(fresh).toMatchObject({ id: 'z', version: 1 })
  })

  test('of twenty changes at once all are made, each on what the one before left', async () => {
    const { backend } = stand
    await backend.create(stand.as('alice'), named(['a'], { n: 0 }), OPTIONS)
    const operation = stand.as('alice')
    const add = ({ data }: StoredRecord) => ({ n: Number(data.n) + 1 })
    await Promise.all(Array.from({ length: 20 }, () => backend.update(operation, 'a', add)))
    expect(await backend.read(operation, 'a')).toMatchObject({ data: { n: 20 }, version: 21 })
  })

  test('of twenty changes and deletions at once of one version exactly one is made', async () => {
    const { backend } = stand
    await backend.create(stand.as('alice'), named(['a']), OPTIONS)
    const operation = stand.as('alice')
    const onlyFirst = ({ version }: { version: number }) => {
      if (version !== 1) throw new Problem('precondition_failed', 'not version 1')
      return { won: true }
    }
    const attempts = Array.from({ length: 20 }, (_, at) =>
      at % 2 === 0
        ? backend.update(operation, 'a', onlyFirst).then((record) => record !== undefined)
        : backend.delete(operation, 'a', (seen) => void onlyFirst(seen)),
    )
    const results = await Promise.allSettled(attempts)
    expect(results.filter((result) => result.status === 'fulfilled' && result.value)).toHaveLength(1)
  })

  test('that are changed by a filter are all changed or none: what changes meanwhile is read anew', async () => {
    const { backend } = stand
    await backend.create(stand.as('alice'), named(['a', 'b', 'c'], { n: 1 }), OPTIONS)
    let raced = false
    stand.proxy.answerInstead = async ({ url }) => {
      if (raced || !url.includes('/rpc/notes_replace_many')) return undefined
      raced = true
      await stand.admin(`update notes set data = '{"n": 10}' where id = 'b'`)
      return undefined
    }
    const add = ({ data }: StoredRecord) => ({ n: Number(data.n) + 1 })
    expect(await backend.updateMany(stand.as('alice'), everything, add, 3)).toEqual(['a', 'b', 'c'])
    const after = await backend.find(stand.as('alice'), ALL)
    expect(after.map(({ data, version }) => [data.n, version])).toEqual([
      [2, 2],
      [11, 3],
      [2, 2],
    ])
  })

  test.each(['updateMany', 'deleteMany'] as const)('more than max_affected: %s touches none', async (how) => {
    const { backend } = stand
    await backend.create(stand.as('alice'), named(['a', 'b', 'c']), OPTIONS)
    const operation = stand.as('alice')
    const change = { updateMany: () => backend.updateMany(operation, everything, () => ({ x: 1 }), 2) }
    const attempt = how === 'updateMany' ? change.updateMany() : backend.deleteMany(operation, everything, 2)
    await expect(attempt).rejects.toMatchObject({ code: 'conflict' })
    const left = await backend.find(operation, ALL)
    expect(left.map(({ id, version }) => [id, version])).toEqual([['a', 1], ['b', 1], ['c', 1]]) // prettier-ignore
  })

  test('are deleted by a filter, and nobody else’s with them', async () => {
    const { backend } = stand
    const many = Array.from({ length: 450 }, (_, at) => `r${String(at).padStart(3, '0')}`)
    await backend.create(stand.as('alice'), named(many), OPTIONS)
    await backend.create(stand.as('bob'), named(['r000']), OPTIONS)
    expect(await backend.deleteMany(stand.as('alice'), everything, 450)).toEqual(many)
    expect(await backend.count(stand.as('bob'), undefined, 'exact')).toBe(1)
  })

  test('that Postgres cannot keep are refused as such', async () => {
    const tooLarge = named(['a'], { n: '\0' })
    await expect(stand.backend.create(stand.as('alice'), tooLarge, OPTIONS)).rejects.toMatchObject({
      code: 'unprocessable',
    })
  })
})

describe('a search', () => {
  test('gives back what has the words, the best first, whatever they look like to PostgREST, and READ ONLY', async () => {
    const { backend } = stand
    const texts = ['warehouse', 'warehouse warehouse rules', 'cold chain', 'not.null is.true']
    await backend.create(
      stand.as('alice'),
      texts.map((body, at) => ({ id: `r${String(at)}`, data: { body }, name: 'data' })),
      OPTIONS,
    )
    await backend.create(stand.as('bob'), named(['r9'], { body: 'warehouse' }), OPTIONS)
    const search = async (text: string) => {
      const request = { text, vector: undefined, limit: 5, includeVector: false }
      return (await backend.search!(stand.as('alice'), request)).map(({ id }) => id)
    }
    expect(await search('warehouse')).toEqual(['r1', 'r0'])
    expect(await search('WAREHOUSE -rules')).toEqual(['r0'])
    expect(await search('"cold chain"')).toEqual(['r2'])
    expect(await search('not.null')).toEqual(['r3'])
    for (const words of [...HOSTILE, 'eq.5', 'a\0b', '\ud800', '(', '&', ':*', "'"]) await search(words)

    await stand.admin(`create or replace function notes_search(words text, most integer)
      returns table (id text, data jsonb, version integer, owner text, created_at timestamptz, updated_at timestamptz, score real)
      language sql stable as $$ select 'x', jsonb_build_object('mode', current_setting('transaction_read_only')), 1, 'alice',
        now(), now(), 1::real $$`)
    const request = { text: 'x', vector: undefined, limit: 5, includeVector: false }
    expect(await backend.search!(stand.as('alice'), request)).toMatchObject([{ data: { mode: 'on' } }])
    await stand.admin(`select waybill.declare_collection('notes', 'user')`)
  })
})
