import { lintRowSecurity } from '@waybill/database'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CASES, SEED } from './usage-rls-cases.ts'
import type { Case } from './usage-rls-cases.ts'
import { startUsageSetting, userOf } from './usage-setting.ts'
import type { UsageSetting } from './usage-setting.ts'

let setting: UsageSetting
let policies: string[]

beforeAll(async () => {
  setting = await startUsageSetting()
  await setting.admin(SEED.join(';'))
  const rows = await setting.admin(`select format('alter policy %I on %I', policyname, tablename)
    || coalesce(' using (' || qual || ')', '') || coalesce(' with check (' || with_check || ')', '') as statement
    from pg_policies where tablename in ('usage', 'budgets', 'budget_alerts')`)
  policies = rows.map(({ statement }) => String(statement))
})
afterAll(() => setting.close())

class Undone extends Error {}

/** What comes of the attempt: how many rows, or which refusal. It leaves nothing behind. */
async function outcomeOf({ as, sql: statement }: Case): Promise<number | string> {
  let outcome: number | string = 'none'
  const attempt = async (tx: Parameters<Parameters<typeof setting.database.withoutPrincipal>[0]>[0]) => {
    const { rows, numAffectedRows } = await sql.raw(statement).execute(tx)
    outcome = rows.length > 0 ? rows.length : Number(numAffectedRows ?? 0)
    throw new Undone()
  }
  try {
    await (as ? setting.database.withPrincipal(as, attempt) : setting.database.withoutPrincipal(attempt))
  } catch (error) {
    if (error instanceof Undone) return outcome
    if (error instanceof Error && 'code' in error) return String(error.code)
    throw error
  }
  return outcome
}

describe('row-level security of usage and budgets', () => {
  test.each(CASES)('$rule: safe, and a hole under $mutant.make', async (one) => {
    expect(await outcomeOf(one), 'as it is').toBe(one.safe)
    await setting.admin(one.mutant.make)
    try {
      expect(await outcomeOf(one), 'under the mutant').toBe(one.hole)
    } finally {
      if (one.mutant.undo !== undefined) await setting.admin(one.mutant.undo)
      await setting.admin(policies.join(';'))
    }
    expect(await outcomeOf(one), 'as it is again').toBe(one.safe)
  })

  test('every policy that a request is under is broken by some case', () => {
    const broken = CASES.map(({ mutant }) => mutant.make).join('\n')
    const named = policies
      .map((statement) => statement.split(' ')[2] ?? '')
      .filter((name) => !name.includes('_service'))
    expect(named).toHaveLength(11)
    expect(named.filter((name) => !broken.includes(name))).toEqual([])
  })

  test('an administrator sees what everybody used, and the service sums up for all', async () => {
    const all = { rule: '', sql: 'select * from usage', safe: 3, hole: 3, mutant: { make: '' } }
    expect(await outcomeOf({ ...all, as: userOf('root', { permissions: ['*'] }) })).toBe(3)
    expect(await outcomeOf(all)).toBe(3)
  })

  test('the lint finds nothing, now that every mutant is taken back', async () => {
    const db = {
      query: async (text: string, values?: unknown[]) => ({ rows: await setting.admin(text, values) }),
    }
    const findings = await lintRowSecurity(db, { loginRole: 'llm_proxy', userRole: 'llm_proxy_user' })
    expect(findings).toEqual([])
  })
})
