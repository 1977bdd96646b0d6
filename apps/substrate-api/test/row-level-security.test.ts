import { lintRowSecurity } from '@waybill/database'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { memberOf, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
const TABLES = ['baskets', 'raw_dumps'] as const

beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())

beforeEach(async () => {
  await setting.admin('delete from baskets')
  for (const workspace of ['ours', 'theirs']) {
    await setting.database.withPrincipal(memberOf(workspace), async (tx) => {
      const { id } = await tx
        .insertInto('baskets')
        .values({ name: workspace, metadata: {} })
        .returning('id')
        .executeTakeFirstOrThrow()
      await tx.insertInto('raw_dumps').values({ basket_id: id, content: workspace, source: null }).execute()
    })
  }
})

/** A query that forgets its where, as the role that requests run as. */
const workspacesSeen = (table: (typeof TABLES)[number], workspace: string | undefined) =>
  setting.database.withPrincipal(memberOf(workspace), async (tx) => {
    const rows = await tx.selectFrom(table).select('workspace_id').orderBy('workspace_id').execute()
    return rows.map((row) => row.workspace_id)
  })

describe.each(TABLES)('%s', (table) => {
  test('a query without where sees the workspace of the claims only', async () => {
    expect(await workspacesSeen(table, 'ours')).toEqual(['ours'])
    expect(await workspacesSeen(table, 'theirs')).toEqual(['theirs'])
  })

  test.each([undefined, ''])('a transaction without a workspace (%j) sees nothing', async (workspace) => {
    expect(await workspacesSeen(table, workspace)).toEqual([])
  })

  test('with the policy dropped for one that lets all pass, both are seen: the tests above can fail', async () => {
    await setting.admin(`create policy let_all_pass on ${table} using (true)`)
    try {
      expect(await workspacesSeen(table, 'ours')).toEqual(['ours', 'theirs'])
    } finally {
      await setting.admin(`drop policy let_all_pass on ${table}`)
    }
  })

  test('the owner of the table is bound too, and no role may truncate', async () => {
    const [state] = await setting.admin(
      `select relrowsecurity, relforcerowsecurity from pg_class where oid = '${table}'::regclass`,
    )
    expect(state).toEqual({ relrowsecurity: true, relforcerowsecurity: true })
    const granted = await setting.admin(
      `select 1 from information_schema.role_table_grants where table_name = '${table}'
       and grantee like 'substrate_api%' and grantee not like '%_owner' and privilege_type in ('TRUNCATE', 'UPDATE')`,
    )
    expect(granted).toEqual([])
  })
})

test.each([
  ['workspace_id', { workspace_id: 'theirs' }],
  ['created_by', { created_by: 'user:mallory' }],
])('a row in the name of another %s is refused by the database', async (_, forged) => {
  const write = setting.database.withPrincipal(memberOf('ours'), (tx) =>
    tx
      .insertInto('baskets')
      .values({ name: 'forged', metadata: {}, ...forged })
      .execute(),
  )
  await expect(write).rejects.toMatchObject({ code: '42501' })
})

test('a delete without where leaves the other workspace alone', async () => {
  await setting.database.withPrincipal(memberOf('ours'), (tx) => tx.deleteFrom('baskets').execute())
  expect(await setting.admin('select workspace_id from baskets')).toEqual([{ workspace_id: 'theirs' }])
})

test('a dump cannot stand in a basket of another workspace', async () => {
  const [theirs] = await setting.admin(`select id from baskets where workspace_id = 'theirs'`)
  const write = setting.database.withPrincipal(memberOf('ours'), (tx) =>
    tx
      .insertInto('raw_dumps')
      .values({ basket_id: String(theirs?.id), content: 'x', source: null })
      .execute(),
  )
  await expect(write).rejects.toMatchObject({ code: '23503' })
})

test('the list of a workspace is a range of its index, not a scan of all workspaces', async () => {
  await setting.admin(
    `insert into baskets (workspace_id, name, created_by)
     select 'w' || n % 100, n::text, 'user:alice' from generate_series(1, 5000) n`,
  )
  await setting.admin('analyze baskets')
  const plan = await setting.database.withPrincipal(memberOf('w7'), async (tx) => {
    const { rows } = await sql<{ 'QUERY PLAN': string }>`
      explain select * from baskets where workspace_id = 'w7' order by created_at desc, id desc limit 20`.execute(
      tx,
    )
    return rows.map((row) => row['QUERY PLAN']).join('\n')
  })
  expect(plan).toMatch(/Index Scan (?:using|on) baskets_newest/)
  expect(plan).not.toContain('Seq Scan')
})

test('the lint of row-level security finds nothing', async () => {
  const db = {
    query: async (text: string, values?: unknown[]) => ({ rows: await setting.admin(text, values) }),
  }
  const findings = await lintRowSecurity(db, {
    loginRole: 'substrate_api',
    userRole: 'substrate_api_user',
  })
  expect(findings).toEqual([])
})
