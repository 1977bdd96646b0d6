import { alice, both, grant, open } from './rls-case.ts'
import type { Case, Change } from './rls-case.ts'
import { userOf } from './postgres-setting.ts'

const audit = (actor: string, onBehalfOf: string) =>
  `insert into audit (actor, on_behalf_of, action, resource, outcome) values ('${actor}', ${onBehalfOf}, 'x', 'y', 'success')`

const policy = (table: string, command: string, role = 'data_store_user'): Change => ({
  make: `create policy hole on ${table} for ${command} to ${role} using (true)`,
  undo: `drop policy hole on ${table}`,
})

/** The audit in another's name, and ways out of the transaction's role and claims. */
export const SESSION_CASES: Case[] = [
  {
    rule: 'audit: a query without where',
    as: alice,
    sql: 'select * from audit',
    safe: 1,
    hole: 2,
    mutant: { make: 'alter policy audit_select_own on audit using (true)' },
  },
  {
    rule: 'audit: a permission that only looks like audit.read',
    as: userOf('alice', { permissions: ['audit.reader', 'xaudit.read', 'audit'] }),
    sql: 'select * from audit',
    safe: 1,
    hole: 2,
    mutant: {
      make: "alter policy audit_select_auditor on audit using (current_setting('waybill.permissions') like '%audit.read%')",
    },
  },
  ...[
    ['of another user', 'user:bob', 'null'],
    ['of another user, by oneself', 'user:alice', "'user:bob'"],
    ['of a service', 'service:gateway', 'null'],
    ['of nobody', 'anonymous', 'null'],
  ].map(([whose = '', actor = '', onBehalfOf = '']): Case => ({
    rule: `audit: a row in the name ${whose}`,
    as: alice,
    sql: audit(actor, onBehalfOf),
    safe: '42501',
    hole: 1,
    mutant: { make: 'alter policy audit_insert_own on audit with check (true)' },
  })),
  {
    rule: 'audit: rows are changed',
    as: alice,
    sql: "update audit set outcome = 'success'",
    safe: '42501',
    hole: 2,
    mutant: both(grant('update on audit to data_store_user'), policy('audit', 'update')),
  },
  {
    rule: 'audit: rows are removed',
    as: alice,
    sql: 'delete from audit',
    safe: '42501',
    hole: 2,
    mutant: both(grant('delete on audit to data_store_user'), policy('audit', 'delete')),
  },
  {
    rule: 'audit: all of it is removed at once',
    as: alice,
    sql: ['truncate audit', 'select 1'],
    safe: '42501',
    hole: 1,
    mutant: grant('truncate on audit to data_store_user'),
  },
  {
    rule: 'audit: nobody else can write any more',
    as: alice,
    sql: ['lock table audit in access exclusive mode', 'select 1'],
    safe: '42501',
    hole: 1,
    mutant: grant('maintain on audit to data_store_user'),
  },
  {
    rule: 'a request sees which writes are open',
    as: alice,
    sql: ['select * from open_intents', 'select 1'],
    safe: '42501',
    hole: 1,
    mutant: grant('select on open_intents to data_store_user'),
  },
  {
    rule: 'an expression rewrites the claims',
    as: alice,
    sql: "select * from records, set_config('waybill.user_id', 'bob', true) where owner = 'bob'",
    safe: '42501',
    hole: 1,
    mutant: both(grant('execute on function set_config to data_store_user'), {
      ...open('records', 'select'),
    }),
  },
  {
    rule: 'the claims are rewritten through the view of settings',
    as: alice,
    sql: "update pg_settings set setting = 'off' where name = 'row_security'",
    safe: '42501',
    hole: 1,
    mutant: grant('execute on function set_config to data_store_user'),
  },
  {
    rule: 'reset role',
    as: alice,
    sql: ['reset role', 'select * from records'],
    safe: '42501',
    hole: 10,
    mutant: both(grant('select on records to data_store'), policy('records', 'select', 'data_store')),
  },
  {
    rule: 'set role to the owner of the tables',
    as: alice,
    sql: ['set local role data_store_owner', 'select 1'],
    safe: '42501',
    hole: 1,
    mutant: grant('data_store_owner to data_store'),
  },
  {
    rule: 'the login role, with no claims, reads records',
    sql: 'select * from records',
    safe: '42501',
    hole: 10,
    mutant: both(grant('select on records to data_store'), policy('records', 'select', 'data_store')),
  },
  {
    rule: 'the login role, with no claims, reads answers that are kept',
    sql: 'select answer from idempotency_keys',
    safe: '42501',
    hole: 2,
    mutant: grant('select (answer) on idempotency_keys to data_store'),
  },
  {
    rule: 'a temporary table stands before the real one',
    as: alice,
    sql: ['create temporary table records (owner text)', 'select 1'],
    safe: '42501',
    hole: 1,
    mutant: grant('temporary on database data_store to data_store_user'),
  },
  {
    rule: 'a function of its own in the schema',
    as: alice,
    sql: ["create function now() returns text language sql as $$ select 'x' $$", 'select 1'],
    safe: '42501',
    hole: 1,
    mutant: grant('create on schema public to data_store_user'),
  },
  {
    rule: 'copy to a file of the server',
    as: alice,
    sql: ["copy (select 1) to '/dev/null'", 'select 1'],
    safe: '42501',
    hole: 1,
    mutant: grant('pg_write_server_files to data_store_user'),
  },
  {
    rule: 'copy to a program of the server',
    as: alice,
    sql: ["copy (select 1) to program 'cat > /dev/null'", 'select 1'],
    safe: '42501',
    hole: 1,
    mutant: grant('pg_execute_server_program to data_store_user'),
  },
  {
    rule: 'the policy is taken away',
    as: alice,
    sql: ['alter table records disable row level security', 'select * from records'],
    safe: '42501',
    hole: 10,
    mutant: grant('data_store_owner to data_store_user'),
  },
]
