import { lintRowSecurity } from '@waybill/database'
import type { Principal } from '@waybill/service-kit'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startKeysDatabase, userOf } from './keys-setting.ts'
import type { KeysDatabase } from './keys-setting.ts'

/** An attempt by raw SQL, in a transaction that the service has opened and that is rolled back. */
interface Case {
  rule: string
  /** For whom; without one as the service's login role. */
  as?: Principal
  sql: string
  /** Rows that come back or are touched, or the SQLSTATE of the refusal. */
  safe: number | string
  /** What the superuser does to the schema, and how it is taken back; the policies are put back by the test itself. */
  mutant: string
  undo?: string
  /** The same under the mutant: the case must be one that can fail. */
  hole: number | string
}

const alice = userOf('alice')
const nobody = userOf('')
const service: Principal = {
  kind: 'service',
  service: 'gateway',
  permissions: ['*'],
  actors: [],
  via: 'service-jwt',
}

const open = (command: string) => {
  const using = command === 'insert' ? '' : ' using (true)'
  const check = command === 'insert' || command === 'update' ? ' with check (true)' : ''
  return `alter policy provider_keys_${command} on provider_keys${using}${check}`
}
const USER = 'llm_proxy_user'
const granted = (what: string, ...more: string[]) => ({
  mutant: [`grant ${what} on provider_keys to ${USER}`, ...more].join(';'),
  undo: `revoke ${what} on provider_keys from ${USER}`,
})
/** The known incident of a policy that lets everybody in where the claim is unset. */
const FALLBACK = `alter policy provider_keys_select on provider_keys
  using (user_id = coalesce((select nullif(current_setting('waybill.user_id', true), '')), user_id))`
const EMPTY = `alter policy provider_keys_select on provider_keys using (user_id = current_setting('waybill.user_id', true))`
const CASELESS = `alter policy provider_keys_select on provider_keys
  using (lower(user_id) = lower((select nullif(current_setting('waybill.user_id', true), ''))))`

const insert = (more: Record<string, string> = {}) => {
  const row = {
    ...{ id: "'99999999-0000-4000-8000-000000000000'", provider: "'openai'", name: "'x'", kek: "'v1'" },
    ...{ sealed: "decode(repeat('00', 40), 'hex')", last_four: "''", is_default: 'false', ...more },
  }
  return `insert into provider_keys (${Object.keys(row).join(', ')}) values (${Object.values(row).join(', ')})`
}

const LOGIN_POLICY = {
  mutant: `grant select, update on provider_keys to llm_proxy;
    create policy mutant on provider_keys to llm_proxy using (true)`,
  undo: 'drop policy mutant on provider_keys; revoke select, update on provider_keys from llm_proxy',
}
const DEFAULT_INDEX = 'index provider_keys_default'

// prettier-ignore
const CASES: Case[] = [
  { rule: 'a user sees no other', as: alice, sql: 'select id from provider_keys', safe: 1, mutant: open('select'), hole: 4 },
  { rule: 'not whose name differs in case only', as: alice, sql: 'select id from provider_keys', safe: 1, mutant: CASELESS, hole: 2 },
  { rule: 'a service sees none', as: service, sql: 'select id from provider_keys', safe: 0, mutant: FALLBACK, hole: 4 },
  { rule: 'nor who has no name, of one without', as: nobody, sql: 'select id from provider_keys', safe: 0, mutant: EMPTY, hole: 1 },
  { rule: 'the login role has no way in', sql: 'select sealed from provider_keys', safe: '42501', ...LOGIN_POLICY, hole: 4 },
  { rule: 'and may not re-encrypt', sql: "update provider_keys set kek = 'v9'", safe: '42501', ...LOGIN_POLICY, hole: 4 },
  { rule: 'a user changes no other', as: alice, sql: "update provider_keys set name = 'x'", safe: 1, mutant: open('update'), hole: 4 },
  { rule: 'a user deletes no other', as: alice, sql: 'delete from provider_keys', safe: 1, mutant: open('delete'), hole: 4 },
  { rule: 'a key in the name of another is refused', as: alice, sql: insert({ user_id: "'bob'" }), safe: '42501', ...granted('insert (user_id)', open('insert')), hole: 1 },
  { rule: 'a service adds none', as: service, sql: insert(), safe: '42501', mutant: open('insert'), hole: '23502' },
  { rule: 'a key does not pass to another', as: alice, sql: "update provider_keys set user_id = user_id || 'x'", safe: '42501', ...granted('update (user_id)', `${open('update')};${open('select')}`), hole: 4 },
  { rule: 'nor to another provider', as: alice, sql: "update provider_keys set provider = 'mistral'", safe: '42501', ...granted('update (provider)'), hole: 1 },
  { rule: 'nor to another place', as: alice, sql: "update provider_keys set base_url = 'https://e'", safe: '42501', ...granted('update (base_url)'), hole: 1 },
  { rule: 'a time is not made up', as: alice, sql: insert({ created_at: "'2000-01-01'" }), safe: '42501', ...granted('insert (created_at)'), hole: 1 },
  { rule: 'nobody empties the table', as: alice, sql: 'truncate provider_keys', safe: '42501', ...granted('truncate'), hole: 0 },
  { rule: 'one default for a provider', as: alice, sql: insert({ is_default: 'true' }), safe: '23505', mutant: `drop ${DEFAULT_INDEX}`, undo: `create unique ${DEFAULT_INDEX} on provider_keys (user_id, provider) where is_default`, hole: 1 },
]

let at: KeysDatabase
let policies: string[]

beforeAll(async () => {
  at = await startKeysDatabase()
  for (const [index, user] of ['alice', 'bob', 'ALICE', ''].entries()) {
    await at.admin(
      `insert into provider_keys (id, user_id, provider, name, sealed, kek, last_four, is_default)
       values ($1, $2, 'openai', 'work', $3, 'v1', '', true)`,
      [`00000000-0000-4000-8000-00000000000${String(index)}`, user, Buffer.alloc(40)],
    )
  }
  const rows = await at.admin(`select format('alter policy %I on %I', policyname, tablename)
    || coalesce(' using (' || qual || ')', '') || coalesce(' with check (' || with_check || ')', '') as statement
    from pg_policies where tablename = 'provider_keys'`)
  policies = rows.map(({ statement }) => String(statement))
})
afterAll(() => at.close())

class Undone extends Error {}

/** What comes of the attempt: how many rows, or which refusal. It leaves nothing behind. */
async function outcomeOf({ as, sql: statement }: Case): Promise<number | string> {
  let outcome: number | string = 'none'
  const attempt = async (tx: Parameters<Parameters<typeof at.database.withoutPrincipal>[0]>[0]) => {
    const { rows, numAffectedRows } = await sql.raw(statement).execute(tx)
    outcome = rows.length > 0 ? rows.length : Number(numAffectedRows ?? 0)
    throw new Undone()
  }
  try {
    await (as ? at.database.withPrincipal(as, attempt) : at.database.withoutPrincipal(attempt))
  } catch (error) {
    if (error instanceof Undone) return outcome
    if (error instanceof Error && 'code' in error) return String(error.code)
    throw error
  }
  return outcome
}

test.each(CASES)('$rule: safe, and a hole under the mutant', async (one) => {
  expect(await outcomeOf(one), 'as it is').toBe(one.safe)
  await at.admin(one.mutant)
  try {
    expect(await outcomeOf(one), 'under the mutant').toBe(one.hole)
  } finally {
    if (one.undo !== undefined) await at.admin(one.undo)
    await at.admin(policies.join(';'))
  }
  expect(await outcomeOf(one), 'as it is again').toBe(one.safe)
})

test('the lint of row-level security finds nothing, now that every mutant is taken back', async () => {
  const db = { query: async (text: string, values?: unknown[]) => ({ rows: await at.admin(text, values) }) }
  const lint = () => lintRowSecurity(db, { loginRole: 'llm_proxy', userRole: USER })
  const ofKeys = async () => (await lint()).filter(({ object }) => object.includes('provider_keys'))
  expect(await ofKeys()).toEqual([])
  await at.admin('alter table provider_keys no force row level security')
  expect(await ofKeys()).toMatchObject([{ rule: 'rls-not-forced', object: 'public.provider_keys' }])
  await at.admin('alter table provider_keys force row level security')
})
