import type { Principal } from '@waybill/service-kit'
import { userOf } from './postgres-setting.ts'

export type Scope = 'user' | 'tenant' | 'workspace'

/** What the superuser does to the schema, and how it is taken back. */
export interface Change {
  make: string
  /** Policies are put back by the test itself. */
  undo?: string
}

/** An attempt by raw SQL, in a transaction that the service has opened and that is rolled back. */
export interface Case {
  rule: string
  /** For whom; without one as the service's login role. */
  as?: Principal
  /** Which claim the transaction is about; the user's unless said. */
  scope?: Scope
  /** One statement, or several of which the last one counts. */
  sql: string | string[]
  /** Rows that come back or are touched, or the SQLSTATE of the refusal. */
  safe: number | string
  /** The same, once the policy or the revoked privilege that the case is about is gone. */
  hole: number | string
  mutant: Change
  /** Other defences that stand before the one that the case is about, taken down in both runs. */
  given?: Change
}

export const alice = userOf('alice', { tenantId: 't1', workspaceId: 'w1' })
/** Of no tenant and no workspace. */
export const aloneAlice = userOf('alice')
export const nobody = userOf('')
export const service: Principal = {
  kind: 'service',
  service: 'gateway',
  permissions: ['*'],
  actors: [],
  via: 'service-jwt',
}

/**
 * Of each table two owners in each scope: alice, t1 and w1 are alice's, bob, t2 and w2 are not. Further a tenant called alice, a user
 * called t1 and one without a name, which no claim may be mistaken for.
 */
export const SEED = [
  ...[
    ['user', 'alice'],
    ['user', 'bob'],
    ['tenant', 't1'],
    ['tenant', 't2'],
    ['workspace', 'w1'],
    ['workspace', 'w2'],
    ['tenant', 'alice'],
    ['user', 't1'],
    ['user', ''],
    ['user', 'ALICE'],
  ].flatMap(([scope, owner]) => [
    `insert into records (scope, owner, collection, id, data) values ('${scope}', '${owner}', 'notes', 'of-${owner}', '{"secret": 1}')`,
    `insert into vector_collections (scope, owner, collection, dimensions) values ('${scope}', '${owner}', 'notes', 3)`,
  ]),
  ...['alice', 'bob'].flatMap((user) => [
    `insert into audit (actor, action, resource, outcome) values ('user:${user}', 'record.read', 'postgres/notes', 'success')`,
    `insert into idempotency_keys (user_id, key, fingerprint) values ('${user}', 'k-${user}', 'f')`,
  ]),
  'analyze',
]

/** The policy lets everything pass. */
export function open(table: string, ...policies: ('select' | 'insert' | 'update' | 'delete')[]): Change {
  return {
    make: policies
      .map((command) => {
        const using = command === 'insert' ? '' : ' using (true)'
        const check = command === 'insert' || command === 'update' ? ' with check (true)' : ''
        return `alter policy ${table}_${command} on ${table}${using}${check}`
      })
      .join(';'),
  }
}

const OWNER = `(select nullif(case current_setting('waybill.scope', true)
  when 'user' then current_setting('waybill.user_id', true)
  when 'tenant' then current_setting('waybill.tenant_id', true)
  when 'workspace' then current_setting('waybill.workspace_id', true)
end, ''))`
const SCOPE = "scope = (select nullif(current_setting('waybill.scope', true), ''))"

/** Parts of the policy on records, and what mistakes would make of them. */
export const CONDITION = {
  anyOwner: SCOPE,
  anyScope: `owner = ${OWNER}`,
  /** The "permissive fallback when the variable is unset" of a known incident. */
  fallback: `${SCOPE} and owner = coalesce(${OWNER}, owner)`,
  anyScopeFallback: `owner = coalesce(${OWNER}, owner)`,
  emptyClaim: `${SCOPE} and owner = current_setting('waybill.user_id', true)`,
  caseless: `${SCOPE} and lower(owner) = lower(${OWNER})`,
}

export const weaken = (table: string, command: string, condition: string): Change => ({
  make: `alter policy ${table}_${command} on ${table} ${command === 'insert' ? 'with check' : 'using'} (${condition})`,
})

export const grant = (what: string, undo = what.replace(' to ', ' from ')): Change => ({
  make: `grant ${what}`,
  undo: `revoke ${undo}`,
})

export const both = (...changes: Change[]): Change => ({
  make: changes.map(({ make }) => make).join(';'),
  undo: changes
    .map(({ undo }) => undo ?? '')
    .filter(Boolean)
    .join(';'),
})
