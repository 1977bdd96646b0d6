import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lintRowSecurity } from '@waybill/database'
import type { RowSecurityRule } from '@waybill/database'
import { ROW_SECURITY_RULES } from '../src/lint/row-security.ts'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
let client: pg.Client
beforeAll(async () => {
  setting = await startSetting()
  await setting.open().start()
  // As the service itself, which is nobody in particular.
  client = new pg.Client({ connectionString: setting.databaseUrl })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await setting.close()
})

const roles = { loginRole: 'notes', userRole: 'notes_user' }
const lint = (exceptions = {}) => lintRowSecurity(client, { ...roles, exceptions })

const CLAIM = "(select nullif(current_setting('waybill.user_id', true), ''))"
const policy = (condition: string, command = 'all', role = 'notes_user') =>
  `create policy planted on notes for ${command} to ${role} using (${condition})`
const table = (name: string, more = '') =>
  `create table ${name} (owner text primary key) ${more}; alter table ${name} owner to notes_owner`
const forced = (name: string) =>
  `alter table ${name} enable row level security; alter table ${name} force row level security`

/** What is planted, how it is taken out again, and what is then to be found. */
const faults: [RowSecurityRule, string, string, string][] = [
  ['rls-disabled', table('bare'), 'drop table bare', 'public.bare'],
  ['rls-disabled', `create schema other; ${table('other.bare')}`, 'drop schema other cascade', 'other.bare'],
  [
    'rls-disabled',
    `${table('split', 'partition by list (owner)')}; ${forced('split')}; create table split_a partition of split for values in ('a')`,
    'drop table split',
    'public.split_a',
  ],
  ['rls-disabled', table('child', 'inherits (notes)'), 'drop table child', 'public.child'],
  [
    'rls-disabled',
    'grant select on kysely_migration to notes_user',
    'revoke select on kysely_migration from notes_user',
    'public.kysely_migration',
  ],
  [
    'rls-not-forced',
    `${table('own')}; alter table own enable row level security`,
    'drop table own',
    'public.own',
  ],
  [
    'command-without-policy',
    `${table('mute')}; ${forced('mute')}; grant select, insert (owner) on mute to notes_user`,
    'drop table mute',
    'public.mute',
  ],
  [
    'command-without-policy',
    'grant delete on audit to notes',
    'revoke delete on audit from notes',
    'public.audit',
  ],
  ['open-policy', policy('true'), 'drop policy planted on notes', 'public.notes.planted'],
  ['open-policy', policy('true', 'select', 'public'), 'drop policy planted on notes', 'public.notes.planted'],
  [
    'open-policy',
    policy(`owner = ${CLAIM} or body <> ''`),
    'drop policy planted on notes',
    'public.notes.planted',
  ],
  [
    'open-policy',
    policy('(select true) and owner = owner'),
    'drop policy planted on notes',
    'public.notes.planted',
  ],
  [
    'open-policy',
    `create policy planted on notes to notes_user using (owner = ${CLAIM}) with check (body <> ')''(')`,
    'drop policy planted on notes',
    'public.notes.planted',
  ],
  ...[
    `${CLAIM} is not null`,
    `owner <> ${CLAIM}`,
    `not (owner = ${CLAIM})`,
    `owner = coalesce(${CLAIM}, owner)`,
    `coalesce(${CLAIM}, 'x') <> ''`,
    `coalesce(${CLAIM}, 'x') = 'x'`,
    `${CLAIM} = 'x'`,
    `owner is not distinct from ${CLAIM}`,
    `case when ${CLAIM} is null then true else owner = ${CLAIM} end`,
  ].map((condition): (typeof faults)[number] => [
    'open-policy',
    policy(condition),
    'drop policy planted on notes',
    'public.notes.planted',
  ]),
  [
    'policy-not-computed-once',
    policy("owner = current_setting('waybill.user_id', true)"),
    'drop policy planted on notes',
    'public.notes.planted',
  ],
  [
    'policy-not-computed-once',
    `create function me() returns text language sql stable return 'x'; revoke execute on function me from public; ${policy('owner = me()')}`,
    'drop policy planted on notes; drop function me',
    'public.notes.planted',
  ],
  ['policy-without-index', policy(`body = ${CLAIM}`), 'drop policy planted on notes', 'public.notes.planted'],
  ['policy-without-index', policy(`id = ${CLAIM}`), 'drop policy planted on notes', 'public.notes.planted'],
  [
    'public-grant',
    'grant select (id) on notes to public',
    'revoke select (id) on notes from public',
    'public.notes',
  ],
  [
    'public-grant',
    'create function free() returns int language sql return 1',
    'drop function free',
    'public.free',
  ],
  [
    'broad-grant',
    'grant truncate on notes to notes_user',
    'revoke truncate on notes from notes_user',
    'public.notes',
  ],
  [
    'broad-grant',
    'grant references (id) on notes to notes_user',
    'revoke references (id) on notes from notes_user',
    'public.notes',
  ],
  ['broad-grant', 'grant trigger on notes to notes', 'revoke trigger on notes from notes', 'public.notes'],
  [
    'schema-create',
    'grant create on schema public to public',
    'revoke create on schema public from public',
    'public',
  ],
  [
    'temporary-tables',
    'grant temporary on database notes to public',
    'revoke temporary on database notes from public',
    'PUBLIC',
  ],
  [
    'set-config',
    'grant execute on function set_config to notes_user',
    'revoke execute on function set_config from notes_user',
    'notes_user',
  ],
  [
    'view-of-owner',
    'create view every as select * from notes; grant select (id) on every to notes_user',
    'drop view every',
    'public.every',
  ],
  [
    'view-of-owner',
    'create view every with (security_invoker = false) as select * from notes; grant select on every to notes',
    'drop view every',
    'public.every',
  ],
  [
    'materialized-view',
    'create materialized view every as select * from notes; grant select on every to notes_user',
    'drop materialized view every',
    'public.every',
  ],
  [
    'foreign-table',
    'create foreign data wrapper nothing; create server far foreign data wrapper nothing; create foreign table abroad (id int) server far; grant select on abroad to notes_user',
    'drop foreign data wrapper nothing cascade',
    'public.abroad',
  ],
  [
    'definer-function',
    `create function all_notes() returns setof notes security definer set search_path = pg_catalog language sql as 'select * from public.notes';
     revoke execute on function all_notes from public; grant execute on function all_notes to notes_user`,
    'drop function all_notes',
    'public.all_notes',
  ],
  [
    'definer-search-path',
    "create function lost() returns int security definer language sql as 'select 1'; revoke execute on function lost from public",
    'drop function lost',
    'public.lost',
  ],
  ['powerful-role', 'alter role notes superuser', 'alter role notes nosuperuser', 'notes'],
  ['powerful-role', 'alter role notes_user bypassrls', 'alter role notes_user nobypassrls', 'notes_user'],
  [
    'table-owner',
    'alter table notes owner to notes_user',
    'alter table notes owner to notes_owner',
    'public.notes',
  ],
  ['table-owner', 'grant notes_owner to notes', 'revoke notes_owner from notes', 'public.notes'],
]

describe('the lint of row-level security', () => {
  test('finds nothing in a database as our migrations make them', async () => {
    expect(await lint()).toEqual([])
  })

  test.each(faults)('%s: %s', async (rule, plant, undo, object) => {
    await setting.admin(plant)
    try {
      expect(await lint()).toContainEqual({ rule, object, message: expect.any(String) as string })
    } finally {
      await setting.admin(undo)
    }
    expect(await lint()).toEqual([])
  })

  test('is content with views that ask as whoever asks them, and with policies that read claims in every branch', async () => {
    await setting.admin(`create view every with (security_invoker) as select * from notes; grant select on every to notes_user;
      ${policy(`(owner = ${CLAIM} and body <> 'a or b') or (owner = ${CLAIM} and id = any ((select array['x'])::text[]))`)}`)
    expect(await lint()).toEqual([])
    await setting.admin('drop view every; drop policy planted on notes')
  })

  test('leaves out what has a reason, and reports a reason that fits nothing', async () => {
    const exceptions = { 'rls-disabled public.bare': 'countries of the world' }
    expect(await lint(exceptions)).toEqual([
      { rule: 'unused-exception', object: 'rls-disabled public.bare', message: 'fits no finding any more' },
    ])
    await setting.admin(table('bare'))
    expect(await lint(exceptions)).toEqual([])
    await setting.admin('drop table bare')
  })

  test('every rule has a fault that it is seen to find', () => {
    const seen = new Set([...faults.map(([rule]) => rule), 'unused-exception'])
    expect(ROW_SECURITY_RULES.filter((rule) => !seen.has(rule))).toEqual([])
  })
})

describe('npm run db:lint', () => {
  const run = promisify(execFile)
  const command = (...options: string[]) =>
    run(process.execPath, [fileURLToPath(new URL('../src/bin/lint.ts', import.meta.url)), ...options], {
      env: { DATABASE_URL: setting.databaseUrl },
    })

  test('asks as the service itself, and ends with 0 when there is nothing', async () => {
    expect((await command()).stdout).toBe('Row-level security: nothing found.\n')
  })

  test('ends with 1 and a line for each finding that is no exception', async () => {
    await setting.admin(`${table('bare')}; ${table('plain')}`)
    await expect(command('--except', 'rls-disabled public.plain')).rejects.toMatchObject({
      code: 1,
      stdout: 'rls-disabled public.bare: has no row-level security\n',
    })
    await setting.admin('drop table bare, plain')
  })

  test('ends with 2 when there is no such database, and does not say the password', async () => {
    const url = setting.databaseUrl.replace(/\/notes$/, '/nothing')
    const failed = (await command(url).catch((error: unknown) => error)) as { code: number; stderr: string }
    expect(failed).toMatchObject({ code: 2, stderr: expect.stringContaining('nothing') as string })
    expect(failed.stderr).not.toContain(new URL(url).password)
  })
})
