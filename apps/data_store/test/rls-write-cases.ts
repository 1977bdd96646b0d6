import { alice, aloneAlice, both, CONDITION, grant, nobody, open, weaken } from './rls-case.ts'
import type { Case, Scope } from './rls-case.ts'

const OTHER = { user: 'bob', tenant: 't2', workspace: 'w2' } satisfies Record<Scope, string>
const SCOPES = Object.keys(OTHER) as Scope[]

const insert = (scope: Scope, owner: string, id = 'new') =>
  `insert into records (scope, owner, collection, id, data) values ('${scope}', '${owner}', 'notes', '${id}', '{}')`

const inAnothersName = SCOPES.map((scope): Case => ({
  rule: `a new record of another ${scope}`,
  as: alice,
  scope,
  sql: insert(scope, OTHER[scope]),
  safe: '42501',
  hole: 1,
  mutant: open('records', 'insert'),
}))

const withoutClaim = SCOPES.map((scope): Case => ({
  rule: `a new record of a ${scope}, without the claim`,
  as: scope === 'user' ? nobody : aloneAlice,
  scope,
  sql: insert(scope, OTHER[scope]),
  safe: '42501',
  hole: 1,
  mutant: weaken('records', 'insert', CONDITION.fallback),
}))

const onTheWayOut = (column: string, value: string): Case => ({
  rule: `a record is moved by its ${column}, although the column may be written`,
  as: alice,
  given: grant(`update (${column}) on records to data_store_user`),
  sql: `update records set ${column} = '${value}'`,
  safe: '42501',
  hole: 1,
  mutant: { make: 'alter policy records_update on records with check (true)' },
})

/** Changing what is somebody else's, or making it so. A statement without where needs no policy but its own. */
export const WRITE_CASES: Case[] = [
  ...inAnothersName,
  ...withoutClaim,
  {
    rule: 'an update without where',
    as: alice,
    sql: "update records set data = '{}'",
    safe: 1,
    hole: 10,
    mutant: open('records', 'update'),
  },
  {
    rule: 'an update that gives back what it found',
    as: alice,
    sql: "update records set version = 9 where owner = 'bob' returning data",
    safe: 0,
    hole: 1,
    mutant: open('records', 'select', 'update'),
  },
  {
    rule: "another owner's record is changed through a join",
    as: alice,
    sql: `update records set data = '{}' from (values ('bob')) as wanted (owner) where records.owner = wanted.owner`,
    safe: 0,
    hole: 1,
    mutant: open('records', 'select', 'update'),
  },
  {
    rule: 'a record is moved to another owner',
    as: alice,
    given: { make: 'alter policy records_update on records with check (true)' },
    sql: "update records set owner = 'bob'",
    safe: '42501',
    hole: 1,
    mutant: grant('update (owner) on records to data_store_user'),
  },
  onTheWayOut('owner', 'bob'),
  onTheWayOut('scope', 'workspace'),
  {
    rule: 'a delete without where',
    as: alice,
    sql: 'delete from records',
    safe: 1,
    hole: 10,
    mutant: open('records', 'delete'),
  },
  {
    rule: 'a delete that gives back what it found',
    as: alice,
    sql: "delete from records where owner = 'bob' returning data",
    safe: 0,
    hole: 1,
    mutant: open('records', 'select', 'delete'),
  },
  {
    rule: 'a merge over all',
    as: alice,
    sql: `merge into records using (values (1)) as one (n) on true when matched then update set data = '{}'`,
    safe: '42501',
    hole: 10,
    mutant: open('records', 'update'),
  },
  {
    rule: 'an upsert meets a hidden record',
    as: alice,
    given: open('records', 'insert', 'select'),
    sql: `${insert('user', 'bob', 'of-bob')} on conflict (scope, owner, collection, id) do update set data = '{"taken": 1}'`,
    safe: '42501',
    hole: 1,
    mutant: open('records', 'update'),
  },
  {
    rule: 'an id that another has is taken, which tells that it is there',
    as: alice,
    sql: `${insert('user', 'alice', 'of-bob')} on conflict do nothing`,
    safe: 1,
    hole: 0,
    mutant: {
      make: "create unique index by_id on records (collection, id) where scope = 'user'",
      undo: 'drop index by_id',
    },
  },
  {
    rule: 'truncate, which policies do not bind',
    as: alice,
    sql: ['truncate records', 'select 1'],
    safe: '42501',
    hole: 1,
    mutant: grant('truncate on records to data_store_user'),
  },
  {
    rule: "vector_collections: another's length is fixed",
    as: alice,
    sql: "insert into vector_collections (scope, owner, collection, dimensions) values ('tenant', 't2', 'x', 3)",
    safe: '42501',
    hole: 1,
    mutant: open('vector_collections', 'insert'),
  },
  {
    rule: 'vector_collections: an update without where',
    as: alice,
    sql: 'update vector_collections set dimensions = 9',
    safe: 1,
    hole: 10,
    mutant: open('vector_collections', 'update'),
  },
  {
    rule: 'vector_collections: a delete',
    as: alice,
    sql: 'delete from vector_collections',
    safe: '42501',
    hole: 10,
    mutant: both(grant('delete on vector_collections to data_store_user'), {
      make: 'create policy hole on vector_collections for delete using (true)',
      undo: 'drop policy hole on vector_collections',
    }),
  },
  {
    rule: "idempotency_keys: another's key",
    as: alice,
    given: grant('insert (user_id) on idempotency_keys to data_store_user'),
    sql: "insert into idempotency_keys (user_id, key, fingerprint) values ('bob', 'x', 'f')",
    safe: '42501',
    hole: 1,
    mutant: open('idempotency_keys', 'insert'),
  },
  {
    rule: 'idempotency_keys: all are answered',
    as: alice,
    sql: "update idempotency_keys set answer = '{}'",
    safe: 1,
    hole: 2,
    mutant: open('idempotency_keys', 'update'),
  },
  {
    rule: 'idempotency_keys: all are forgotten',
    as: alice,
    sql: 'delete from idempotency_keys',
    safe: 1,
    hole: 2,
    mutant: open('idempotency_keys', 'delete'),
  },
]
