import { beforeEach, describe, expect, test } from 'vitest'
import type { StoredRecord } from '../src/backend.ts'
import { sortKeys } from '../src/query/page.ts'
import { onPostgrest } from './fixtures/on-postgrest.ts'
import { startSupabaseStand } from './supabase-stand.ts'
import type { SupabaseStand } from './supabase-stand.ts'

let stand: SupabaseStand
onPostgrest(
  async () => {
    stand = await startSupabaseStand({ maxAnswerBytes: 65_536 })
  },
  () => stand.close(),
)

const IDS = Array.from({ length: 40 }, (_, at) => `r${String(at).padStart(2, '0')}`)
/** Even ids are found once, the others twice, and are better. */
const textOf = (at: number) => (at % 2 === 0 ? 'word' : 'word word')
beforeEach(async () => {
  await stand.admin('delete from notes')
  // Four of them are too long for one answer.
  for (const [at, id] of IDS.entries())
    await stand.admin(
      `insert into notes (owner, id, data) values ('alice', '${id}',
        jsonb_build_object('text', '${textOf(at)}', 'fill', repeat('x', 20000)))`,
    )
  stand.proxy.passed.length = 0
})

const ALL = { filter: undefined, order: sortKeys(), after: undefined, limit: 25, includeVector: false }
const everything = { field: 'version', op: 'ge' as const, value: 1 }
/** PostgREST cannot compare it. */
const beyond = { field: 'data.text', op: 'gt' as const, value: 'a' }
const idsOf = (found: readonly StoredRecord[]) => found.map(({ id }) => id)

describe('records too long for one answer (CLIENT_MAX_ANSWER_BYTES)', () => {
  test('are listed in parts, in their order and no more than asked for', async () => {
    const operation = stand.as('alice')
    expect(idsOf(await stand.backend.find(operation, ALL))).toEqual(IDS.slice(0, 25))
    // The halves that were too long (25, 13, 7, 4), then two at a time.
    expect(stand.proxy.passed).toHaveLength(4 + 13)
    const newest = { ...ALL, order: sortKeys(['-id']), filter: beyond }
    expect(idsOf(await stand.backend.find(operation, newest))).toEqual(IDS.toReversed().slice(0, 25))
  })

  test('are found in parts, the best first', async () => {
    const request = { text: 'word', vector: undefined, limit: 40, includeVector: false }
    const found = await stand.backend.search!(stand.as('alice'), request)
    const [once, twice] = [0, 1].map((rest) => IDS.filter((_, at) => at % 2 === rest))
    expect(idsOf(found)).toEqual([...twice!, ...once!])
    expect(found[0]!.score).toBeGreaterThan(found.at(-1)!.score)
  })

  test('are changed in one transaction', async () => {
    const changed = await stand.backend.updateMany(stand.as('alice'), everything, () => ({ short: 1 }), 40)
    expect(changed).toEqual(IDS)
  })
})

test('what is deleted is not read where PostgREST can filter it, and goes all at once', async () => {
  const operation = stand.as('alice')
  await expect(stand.backend.deleteMany(operation, everything, 39)).rejects.toMatchObject({
    code: 'conflict',
  })
  expect(await stand.backend.deleteMany(operation, everything, 40)).toEqual(IDS)
  const reads = stand.proxy.passed.filter(({ method }) => method === 'GET')
  expect(reads.map(({ url }) => new URL(url, 'http://x').searchParams.get('select'))).toEqual([
    'id,version,owner',
    'id,version,owner',
  ])
  expect(await stand.admin('select id from notes')).toEqual([])
})

test('what PostgREST cannot filter is deleted by what is in it', async () => {
  const operation = stand.as('alice')
  await stand.admin(`update notes set data = '{"text":1}' where id = 'r07'`)
  expect(await stand.backend.deleteMany(operation, beyond, 40)).toEqual(IDS.filter((id) => id !== 'r07'))
  expect(await stand.admin('select id from notes')).toEqual([{ id: 'r07' }])
})
