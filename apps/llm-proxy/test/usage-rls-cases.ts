import type { Principal } from '@waybill/service-kit'
import { userOf } from './usage-setting.ts'

/** What the superuser does to the schema; policies are put back by the test itself. */
interface Change {
  make: string
  undo?: string
}

/** An attempt by raw SQL, in a transaction that the service has opened and that is rolled back. */
export interface Case {
  rule: string
  /** For whom; without one as the service's login role. */
  as?: Principal
  sql: string
  /** Rows that come back or are touched, or the SQLSTATE of the refusal. */
  safe: number | string
  /** The same, once the policy or the revoked privilege that the case is about is gone. */
  hole: number | string
  mutant: Change
}

const alice = userOf('alice')
const nobody = userOf('')
const admin = userOf('root', { permissions: ['auth.admin'] })
/** Of permissions that only look like an administrator's. */
const nearly = userOf('alice', { permissions: ['auth.administrator', 'xauth.admin', 'auth', 'stats.read'] })

const ADMIN = `(select string_to_array(current_setting('waybill.permissions', true), ' ')) && array['*', 'auth.*', 'auth.admin']`
const OWN = `user_id = (select nullif(current_setting('waybill.user_id', true), ''))`

export const SEED = [
  ...['alice', 'bob', ''].flatMap((user) => [
    `insert into usage (id, at, day, user_id, provider, model, operation, stream, result, input_tokens, output_tokens,
       cached_tokens, estimated, counted_by)
     values (gen_random_uuid(), now(), current_date, '${user}', 'openai', 'm', 'chat', false, 'answered', 1, 1, 0, false,
       gen_random_uuid())`,
    `insert into budgets (user_id, period, set_by, tokens) values ('${user}', 'day', 'user', 10), ('${user}', 'day', 'admin', 5)`,
    `insert into budget_alerts (user_id, period, starts, set_by, measure, percent, budget, used)
     values ('${user}', 'day', current_date, 'user', 'tokens', 80, 10, 9)`,
  ]),
]

const open = (table: string, policy: string, command = 'using'): Change => ({
  make: `alter policy ${policy} on ${table} ${command} (true)`,
})
const alter = (policy: string, table: string, condition: string): Change => ({
  make: `alter policy ${policy} on ${table} ${condition}`,
})
/** A privilege that the role does not have, with a policy that would let it through. */
const granted = (command: string, table: string, role = 'llm_proxy_user'): Change => ({
  make: `grant ${command} on ${table} to ${role}; create policy hole on ${table} for ${command} to ${role} ${
    command === 'insert' ? 'with check' : 'using'
  } (true)`,
  undo: `revoke ${command} on ${table} from ${role}; drop policy hole on ${table}`,
})

const budget = (user: string, setBy: string) =>
  `insert into budgets (user_id, period, set_by, tokens) values ('${user}', 'month', '${setBy}', 99)`
const USAGE_ROW = `insert into usage (id, at, day, user_id, provider, model, operation, stream, result, input_tokens,
  output_tokens, cached_tokens, estimated, counted_by)
  select gen_random_uuid(), now(), current_date, 'alice', 'p', 'm', 'chat', false, 'answered', 1, 1, 0, false, gen_random_uuid()`
const ALERT_ROW = `insert into budget_alerts (user_id, period, starts, set_by, measure, percent, budget, used)
  values ('alice', 'day', current_date, 'user', 'tokens', 90, 10, 9)`

export const CASES: Case[] = [
  // Reading.
  ...['usage', 'budget_alerts', 'budgets'].flatMap((table): Case[] => {
    const own = table === 'budget_alerts' ? 'budget_alerts_select' : `${table}_select_own`
    const rows = table === 'budgets' ? 2 : 1
    return [
      {
        rule: `${table}: a query without where`,
        as: alice,
        sql: `select * from ${table}`,
        safe: rows,
        hole: 3 * rows,
        mutant: open(table, own),
      },
      {
        rule: `${table}: without a user`,
        as: nobody,
        sql: `select * from ${table}`,
        safe: 0,
        hole: rows,
        mutant: alter(own, table, "using (user_id = current_setting('waybill.user_id', true))"),
      },
    ]
  }),
  ...['usage', 'budgets'].map((table): Case => ({
    rule: `${table}: a permission that only looks like auth.admin`,
    as: nearly,
    sql: `select * from ${table}`,
    safe: table === 'budgets' ? 2 : 1,
    hole: table === 'budgets' ? 6 : 3,
    mutant: alter(
      `${table}_select_admin`,
      table,
      "using (current_setting('waybill.permissions') like '%auth.admin%')",
    ),
  })),
  // Usage and alerts are the service's to write.
  ...['insert', 'update', 'delete'].flatMap((command): Case[] =>
    ['usage', 'budget_alerts'].map((table) => ({
      rule: `${table}: ${command} by a request`,
      as: alice,
      sql: {
        insert: table === 'usage' ? USAGE_ROW : ALERT_ROW,
        update: `update ${table} set user_id = user_id`,
        delete: `delete from ${table}`,
      }[command]!,
      safe: '42501',
      // What is deleted without a condition need not be seen.
      hole: command === 'delete' ? 3 : 1,
      mutant: granted(command, table),
    })),
  ),
  {
    rule: 'usage: the service itself changes a row',
    sql: 'update usage set input_tokens = 0',
    safe: '42501',
    hole: 3,
    mutant: granted('update', 'usage', 'llm_proxy'),
  },
  {
    rule: 'budgets: the service itself sets one',
    sql: budget('alice', 'user'),
    safe: '42501',
    hole: 1,
    mutant: granted('insert', 'budgets', 'llm_proxy'),
  },
  // Whose budget a user may set.
  {
    rule: "budgets: another user's",
    as: alice,
    sql: budget('bob', 'user'),
    safe: '42501',
    hole: 1,
    mutant: alter('budgets_insert_own', 'budgets', "with check (set_by = 'user')"),
  },
  {
    rule: 'budgets: one of oneself, as an administrator would',
    as: alice,
    sql: budget('alice', 'admin'),
    safe: '42501',
    hole: 1,
    mutant: alter('budgets_insert_own', 'budgets', `with check (${OWN})`),
  },
  {
    rule: 'budgets: as an administrator, by a permission that only looks like it',
    as: nearly,
    sql: budget('bob', 'admin'),
    safe: '42501',
    hole: 1,
    mutant: alter('budgets_insert_admin', 'budgets', "with check (set_by = 'admin')"),
  },
  {
    rule: "budgets: raise the administrators'",
    as: alice,
    sql: "update budgets set tokens = 1000 where set_by = 'admin'",
    safe: 0,
    hole: 1,
    mutant: alter('budgets_update_own', 'budgets', `using (${OWN}) with check (${OWN})`),
  },
  {
    rule: "budgets: raise the administrators', of anybody",
    as: nearly,
    sql: "update budgets set tokens = 1000 where set_by = 'admin'",
    safe: 0,
    hole: 1,
    mutant: alter(
      'budgets_update_admin',
      'budgets',
      "using (set_by = 'admin') with check (set_by = 'admin')",
    ),
  },
  {
    rule: "budgets: make one's own one of the administrators'",
    as: alice,
    sql: "update budgets set period = 'month', set_by = 'admin' where set_by = 'user'",
    safe: '42501',
    hole: 1,
    mutant: {
      make: `grant update (period, set_by) on budgets to llm_proxy_user; alter policy budgets_update_own on budgets with check (${OWN})`,
      undo: 'revoke update (period, set_by) on budgets from llm_proxy_user',
    },
  },
  {
    rule: "budgets: remove the administrators'",
    as: alice,
    sql: "delete from budgets where set_by = 'admin'",
    safe: 0,
    hole: 1,
    mutant: alter('budgets_delete_own', 'budgets', `using (${OWN})`),
  },
  {
    rule: "budgets: remove the administrators', by a permission that only looks like it",
    as: nearly,
    sql: "delete from budgets where set_by = 'admin'",
    safe: 0,
    hole: 1,
    mutant: alter('budgets_delete_admin', 'budgets', "using (set_by = 'admin')"),
  },
  // An administrator sets what is the administrators' to set.
  {
    rule: "budgets: an administrator sets the user's own",
    as: admin,
    sql: budget('bob', 'user'),
    safe: '42501',
    hole: 1,
    mutant: alter('budgets_insert_admin', 'budgets', `with check (${ADMIN})`),
  },
  {
    rule: "budgets: an administrator changes the user's own",
    as: admin,
    sql: "update budgets set tokens = 0 where set_by = 'user'",
    safe: 0,
    hole: 3,
    mutant: alter('budgets_update_admin', 'budgets', `using (${ADMIN}) with check (${ADMIN})`),
  },
  {
    rule: "budgets: an administrator removes the user's own",
    as: admin,
    sql: "delete from budgets where set_by = 'user'",
    safe: 0,
    hole: 3,
    mutant: alter('budgets_delete_admin', 'budgets', `using (${ADMIN})`),
  },
]
