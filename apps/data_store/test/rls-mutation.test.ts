import { lintRowSecurity } from '@waybill/database'
import type { Principal } from '@waybill/service-kit'
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startPostgresSetting } from './postgres-setting.ts'
import type { PostgresSetting } from './postgres-setting.ts'
import { alice, nobody, SEED, service } from './rls-case.ts'
import type { Case, Change } from './rls-case.ts'
import { READ_CASES } from './rls-read-cases.ts'
import { SESSION_CASES } from './rls-session-cases.ts'
import { WRITE_CASES } from './rls-write-cases.ts'

let setting: PostgresSetting
let policies: string[]

beforeAll(async () => {
  setting = await startPostgresSetting()
  await setting.admin(SEED.join(';'))
  const rows = await setting.admin(`select format('alter policy %I on %I', policyname, tablename)
    || coalesce(' using (' || qual || ')', '') || coalesce(' with check (' || with_check || ')', '') as statement
    from pg_policies`)
  policies = rows.map(({ statement }) => String(statement))
})
afterAll(() => setting.close())

class Undone extends Error {}

/** What comes of the attempt: how many rows, or which refusal. It leaves nothing behind. */
async function outcomeOf({ as, scope = 'user', sql: statements }: Case): Promise<number | string> {
  let outcome: number | string = 'none'
  const attempt = async (tx: Parameters<Parameters<typeof setting.database.withoutPrincipal>[0]>[0]) => {
    for (const statement of [statements].flat()) {
      const { rows, numAffectedRows } = await sql.raw(statement).execute(tx)
      outcome = rows.length > 0 ? rows.length : Number(numAffectedRows ?? 0)
    }
    throw new Undone()
  }
  try {
    await (as
      ? setting.database.withPrincipal(as, attempt, { scope })
      : setting.database.withoutPrincipal(attempt))
  } catch (error) {
    if (error instanceof Undone) return outcome
    if (error instanceof Error && 'code' in error) return String(error.code)
    throw error
  }
  return outcome
}

async function during<T>(change: Change | undefined, work: () => Promise<T>): Promise<T> {
  if (!change) return work()
  await setting.admin(change.make)
  try {
    return await work()
  } finally {
    if (change.undo) await setting.admin(change.undo)
    await setting.admin(policies.join(';'))
  }
}

describe.each([
  { what: 'reading', cases: READ_CASES },
  { what: 'writing', cases: WRITE_CASES },
  { what: 'the session', cases: SESSION_CASES },
])('row-level security, $what', ({ cases }) => {
  test.each(cases)('$rule: safe, and a hole under $mutant.make', async (one) => {
    await during(one.given, async () => {
      expect(await outcomeOf(one), 'as it is').toBe(one.safe)
      expect(await during(one.mutant, () => outcomeOf(one)), 'under the mutant').toBe(one.hole)
    })
    if (!one.given) expect(await outcomeOf(one), 'as it is again').toBe(one.safe)
  })
})

test('there are more than 30 cases, of every policy that a request is under', () => {
  const cases = [...READ_CASES, ...WRITE_CASES, ...SESSION_CASES]
  expect(cases.length).toBeGreaterThan(30)
  const broken = cases.map(({ mutant, given }) => `${mutant.make} ${given?.make ?? ''}`).join('\n')
  const named = policies
    .map((statement) => statement.split(' ')[2] ?? '')
    .filter((name) => !/_(age|service)|open_intents/.test(name))
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter((name) => !broken.includes(name))).toEqual([])
})

test('claims that were set for the whole session are gone for the next borrower of the connection', async () => {
  const poison = ["set session waybill.user_id = 'bob'", "set session waybill.scope = 'user'"]
  const client = new pg.Client({ connectionString: setting.databaseUrl })
  await client.connect()
  for (const statement of [...poison, 'begin', 'set local role data_store_user'])
    await client.query(statement)
  const { rows } = await client.query('select owner from records')
  await client.end()
  expect(rows, 'who only sets the role is bob: the rest can fail').toEqual([{ owner: 'bob' }])

  const poisoned = () =>
    setting.database.withPrincipal(alice, async (tx) => {
      for (const statement of poison) await sql.raw(statement).execute(tx)
      return sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx)
    })
  const pids = (await Promise.all(Array.from({ length: 8 }, poisoned))).map((result) => result.rows[0]?.pid)
  const borrowed = (principal: Principal) =>
    setting.database.withPrincipal(principal, (tx) =>
      sql<{ pid: number; owner: string }>`select pg_backend_pid() as pid, owner from records`.execute(tx),
    )
  const seen = await Promise.all(Array.from({ length: 16 }, () => borrowed(alice)))
  expect(pids).toEqual(expect.arrayContaining(seen.map((result) => result.rows[0]?.pid)))
  expect(seen.map((result) => result.rows.map(({ owner }) => owner))).toEqual(seen.map(() => ['alice']))
  for (const principal of [nobody, service]) expect((await borrowed(principal)).rows).toEqual([])
})

test('the lint of row-level security finds nothing, now that every mutant is taken back', async () => {
  const db = {
    query: async (text: string, values?: unknown[]) => ({ rows: await setting.admin(text, values) }),
  }
  const roles = { loginRole: 'data_store', userRole: 'data_store_user' }
  expect(await lintRowSecurity(db, roles)).toEqual([])
})
