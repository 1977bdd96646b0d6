import { Problem } from '@waybill/service-kit'
import { beforeEach, describe, expect, test } from 'vitest'
import { sortKeys } from '../src/query/page.ts'
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
beforeEach(() => {
  stand.proxy.passed.length = 0
  stand.proxy.answerInstead = undefined
  stand.logged.length = 0
})

const ALL = { filter: undefined, order: sortKeys(), after: undefined, limit: 10, includeVector: false }
const find = (subject = 'alice') => stand.backend.find(stand.as(subject), ALL)

async function refused(work: Promise<unknown>): Promise<Problem> {
  const error: unknown = await work.catch((thrown: unknown) => thrown)
  if (error instanceof Problem) return error
  throw new Error('nothing was refused', { cause: error })
}

describe('what Supabase answers becomes', () => {
  const error = (code: string) => JSON.stringify({ code, message: 'canary', details: 'canary', hint: null })
  test.each<[string, number, string]>([
    ['forbidden', 403, error('42501')],
    ['forbidden', 401, error('42501')],
    ['conflict', 409, error('23505')],
    ['unprocessable', 400, error('22P05')],
    ['unprocessable', 500, error('54000')],
    ['unprocessable', 400, error('22007')],
    ['unprocessable', 400, error('22008')],
    ['timeout', 500, error('57014')],
    ['timeout', 504, error('PGRST003')],
    ['timeout', 504, '<html>canary</html>'],
    ['unavailable', 503, error('PGRST001')],
    ['unavailable', 503, error('PGRST002')],
    ['unavailable', 500, error('40P01')],
    ['unavailable', 502, '<html>canary</html>'],
    ['unavailable', 429, ''],
    ['payload_too_large', 413, '<html>canary</html>'],
    ['upstream_failed', 401, error('PGRST301')],
    ['upstream_failed', 400, error('22023')],
    ['upstream_failed', 500, ''],
    ['upstream_failed', 302, ''],
    ['upstream_failed', 200, '<html>canary</html>'],
    ['upstream_failed', 200, '{"canary":1}'],
    ['upstream_failed', 200, '[{"id":"a"}]'],
    ['upstream_failed', 200, '[{"id":"a","data":{},"version":1,"owner":"bob","created_at":"2026-01-01T00:00:00+00:00","updated_at":"2026-01-01T00:00:00+00:00"}]'], // prettier-ignore
  ])('%s: %i %s', async (code, status, body) => {
    stand.proxy.answerInstead = () => ({ status, body })
    const problem = await refused(find())
    expect(problem.code).toBe(code)
    expect(JSON.stringify([problem.message, problem.extensions, stand.logged])).not.toContain('canary')
  })
})

test('a GRANT that is missing is 403, and the log says so once', async () => {
  // Of its own, for it is only once for a table.
  const fresh = await startSupabaseStand()
  try {
    await fresh.admin('revoke select on notes from authenticated')
    const attempt = () => refused(fresh.backend.find(fresh.as('alice'), ALL))
    expect([(await attempt()).status, (await attempt()).status]).toEqual([403, 403])
    const warnings = fresh.logged.filter((line) => line.includes('42501'))
    expect(warnings.map((line) => JSON.parse(line) as object)).toEqual([
      expect.objectContaining({ path: 'notes', msg: expect.stringContaining('collections.sql') as string }),
    ])
  } finally {
    await fresh.close()
  }
})

test('a token that is not believed is replaced once, and the call made again', async () => {
  let answers = 0
  stand.proxy.answerInstead = () =>
    (answers += 1) === 1 ? { status: 401, body: '{"code":"PGRST301","message":"JWT expired"}' } : undefined
  expect(await find()).toEqual([])
  const [first, second] = stand.proxy.passed.map(({ headers }) => headers.authorization)
  expect(stand.proxy.passed).toHaveLength(2)
  expect(second).not.toBe(first)
})

test('a connection that was closed meanwhile is made anew for a read, and not for a write', async () => {
  let attempts = 0
  stand.proxy.answerInstead = () => ((attempts += 1) === 1 ? 'hang up' : undefined)
  expect(await find()).toEqual([])
  attempts = 0
  const records = [{ id: 'once', data: {}, name: 'data' }]
  const write = stand.backend.create(stand.as('alice'), records, {
    includeVector: false,
    onConflict: 'error',
  })
  expect(await refused(write)).toMatchObject({ code: 'unavailable' })
  expect(await stand.admin(`select id from notes where id = 'once'`)).toEqual([])
})

describe('a PostgREST that does not know of a table', () => {
  const later = (subject: string) => {
    const operation = stand.as(subject)
    return { ...operation, collection: { ...operation.collection, name: 'later', table: 'later' } }
  }
  const create = (from: SupabaseStand) =>
    from.backend.create(later('alice'), [{ id: 'a', data: {}, name: 'data' }], {
      includeVector: false,
      onConflict: 'error',
    })

  test('is 503 and logged when it is not there at all, and is asked to look again only now and then', async () => {
    const problems = [await refused(create(stand)), await refused(create(stand))]
    expect(problems.map(({ code, status }) => [code, status])).toEqual([
      ['unavailable', 503],
      ['unavailable', 503],
    ])
    expect(stand.logged.join()).toContain('collections.sql')
    expect(stand.proxy.passed.filter(({ url }) => url.includes('reload_schema'))).toHaveLength(1)
  })

  test('reads the schema anew for the first caller, by the admin client (PostgREST #2791: NOTIFY was lost)', async () => {
    const fresh = await startSupabaseStand()
    try {
      fresh.as('alice')
      await fresh.admin(`select waybill.declare_collection('later', 'user')`)
      const [record] = await create(fresh)
      expect(record).toMatchObject({ id: 'a', owner: 'alice' })
      expect(fresh.proxy.passed.some(({ url }) => url.includes('reload_schema'))).toBe(true)
    } finally {
      await fresh.close()
    }
  })

  test('is 503 and logged where there is no secret key', async () => {
    const keyless = await startSupabaseStand({ secretKey: false })
    try {
      keyless.as('alice')
      await keyless.admin(`select waybill.declare_collection('later', 'user')`)
      expect(await refused(create(keyless))).toMatchObject({
        code: 'unavailable',
        headers: { 'Retry-After': '30' },
      })
      expect(keyless.logged.join()).toContain('notify pgrst')
    } finally {
      await keyless.close()
    }
  })

  test('is found out at the start', async () => {
    const { collection } = stand.as('alice')
    await stand.verify([collection])
    expect(stand.logged).toEqual([])
    await stand.verify([collection, { ...collection, table: 'not-there' }])
    expect(stand.logged.join()).toContain('"missing":["not-there"]')
  })
})

test('the secret key goes with no call of a user, and no key or token is logged', async () => {
  const { backend, supabase, proxy } = stand
  const operation = stand.as('alice')
  const filter = { field: 'data.a-b', op: 'is_null' as const }
  await backend.create(operation, [{ id: 'a', data: {}, name: 'data' }], {
    includeVector: false,
    onConflict: 'replace',
  })
  await backend.read(operation, 'a')
  await backend.update(operation, 'a', () => ({ n: 1 }))
  await backend.find(operation, { ...ALL, filter })
  await backend.count(operation, filter, 'exact')
  await backend.count(operation, undefined, 'planned')
  await backend.search!(operation, { text: 'x', vector: undefined, limit: 1, includeVector: false })
  await backend.updateMany(operation, filter, () => ({}), 10)
  await backend.deleteMany(operation, filter, 10)
  await backend.delete(operation, 'a', () => undefined)
  const users = [...proxy.passed]
  await stand.verify([operation.collection])
  const admins = proxy.passed.slice(users.length)

  expect(users.length).toBeGreaterThan(9)
  for (const { headers, url, body } of users) {
    expect(JSON.stringify([headers, url, body])).not.toContain(supabase.secretKey)
    expect(headers.apikey).toBe(supabase.publishableKey)
    expect(
      Object.keys(headers)
        .filter((name) => !HTTP.includes(name))
        .sort(),
    ).toEqual(['apikey', 'authorization'])
  }
  expect(admins.map(({ headers }) => headers.apikey)).toEqual([supabase.secretKey])
  const told = stand.logged.join()
  for (const secret of [supabase.secretKey, supabase.publishableKey, await stand.token('alice')]) {
    expect(told).not.toContain(secret.slice(0, 30))
  }
})

const HTTP = ['accept', 'accept-encoding', 'accept-profile', 'connection', 'content-length', 'content-profile', 'content-type', 'host', 'prefer', 'user-agent'] // prettier-ignore

test('PostgREST that is killed is 503 with Retry-After, and is used again when it is back', async () => {
  expect(await find()).toEqual([])
  await stand.supabase.kill()
  const problem = await refused(find())
  expect([problem.status, problem.headers['Retry-After']]).toEqual([503, '1'])
  await stand.supabase.restart()
  expect(await find()).toEqual([])
})
