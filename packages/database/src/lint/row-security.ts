import { functionFindings, grantFindings, roleFindings, tableFindings, viewFindings } from './objects.ts'
import { readCatalog } from './catalog.ts'
import { policyFindings } from './policies.ts'

/** What can be asked, with values for $1 and on: a client or a pool of pg. */
export interface Queryable {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

export interface RowSecurityLintOptions {
  /** What the service logs in as. */
  loginRole: string
  /** What requests run as. */
  userRole: string
  /** `rule object`, as a finding has them, and the reason why it is to be so. One that fits no finding is a finding. */
  exceptions?: Readonly<Record<string, string>>
}

export const ROW_SECURITY_RULES = [
  'rls-disabled',
  'rls-not-forced',
  'command-without-policy',
  'open-policy',
  'policy-not-computed-once',
  'policy-without-index',
  'public-grant',
  'broad-grant',
  'schema-create',
  'temporary-tables',
  'set-config',
  'view-of-owner',
  'materialized-view',
  'foreign-table',
  'definer-function',
  'definer-search-path',
  'powerful-role',
  'table-owner',
  'unused-exception',
] as const

export type RowSecurityRule = (typeof ROW_SECURITY_RULES)[number]

export interface RowSecurityFinding {
  rule: RowSecurityRule
  /** With its schema: `public.notes`, `public.notes.notes_select` for a policy. */
  object: string
  message: string
}

/**
 * Looks in the catalogs of a service's database for whatever lets a request past row-level security, or makes it slow. Gives back the
 * findings, by object and rule; none when all is well. Any role may run it; nothing is changed.
 */
export async function lintRowSecurity(
  db: Queryable,
  { loginRole, userRole, exceptions = {} }: RowSecurityLintOptions,
): Promise<RowSecurityFinding[]> {
  const catalog = await readCatalog(db, { loginRole, userRole })
  const all = [
    ...tableFindings(catalog),
    ...policyFindings(catalog),
    ...viewFindings(catalog),
    ...functionFindings(catalog),
    ...grantFindings(catalog),
    ...roleFindings(catalog),
  ]
  const nameOf = ({ rule, object }: RowSecurityFinding) => `${rule} ${object}`
  const found = new Set(all.map(nameOf))
  const unused = Object.keys(exceptions)
    .filter((name) => !found.has(name))
    .map((object) => ({ rule: 'unused-exception' as const, object, message: 'fits no finding any more' }))
  return [...all.filter((finding) => !Object.hasOwn(exceptions, nameOf(finding))), ...unused].sort(
    (one, other) => (`${one.object} ${one.rule}` < `${other.object} ${other.rule}` ? -1 : 1),
  )
}
