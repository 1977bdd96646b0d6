import type { Catalog, Relation } from './catalog.ts'
import type { RowSecurityFinding } from './row-security.ts'

/** Each service's count of its migrations: no data of anybody, and no request reads it. */
const MIGRATION_TABLE = /\.(kysely|waybill)_migration(_lock)?$/

const isTable = ({ kind }: Relation) => kind === 'r' || kind === 'p'

/** Each table by itself: what a parent or a partitioned table has does not hold for those below it when they are named themselves. */
export function tableFindings({ relations, loginRole, userRole, roles }: Catalog): RowSecurityFinding[] {
  const findings: RowSecurityFinding[] = []
  for (const relation of relations) {
    const { name: object, owner, granted } = relation
    const reachable = roles.find(({ name }) => name === owner)
    if (reachable) {
      const message = `is owned by ${owner}, which the service ${owner === loginRole || owner === userRole ? 'runs as' : 'may become'}`
      findings.push({ rule: 'table-owner', object, message })
    }
    if (relation.kind === 'f' && [...granted.login, ...granted.user, ...granted.public].length > 0) {
      findings.push({ rule: 'foreign-table', object, message: 'is under no policy' })
    }
    if (!isTable(relation)) continue
    if (MIGRATION_TABLE.test(object) && granted.user.length === 0) continue
    if (!relation.enabled)
      findings.push({ rule: 'rls-disabled', object, message: 'has no row-level security' })
    else if (!relation.forced) {
      findings.push({ rule: 'rls-not-forced', object, message: 'does not bind its owner to its policies' })
    }
  }
  return findings
}

export function viewFindings({ relations }: Catalog): RowSecurityFinding[] {
  const findings: RowSecurityFinding[] = []
  for (const { name: object, kind, granted, securityInvoker } of relations) {
    const readable = [granted.login, granted.user, granted.public].some((all) => all.includes('select'))
    if (!readable) continue
    if (kind === 'v' && !securityInvoker) {
      findings.push({
        rule: 'view-of-owner',
        object,
        message: "reads with its owner's rights: no security_invoker",
      })
    }
    if (kind === 'm') {
      findings.push({ rule: 'materialized-view', object, message: 'is under no policy, and can be read' })
    }
  }
  return findings
}

export function functionFindings({ functions }: Catalog): RowSecurityFinding[] {
  const findings: RowSecurityFinding[] = []
  for (const { name: object, definer, fixedSearchPath, executable } of functions) {
    if (executable.public)
      findings.push({ rule: 'public-grant', object, message: 'can be executed by PUBLIC' })
    if (definer && (executable.login || executable.user)) {
      const message = "runs with its owner's rights, and the service may call it"
      findings.push({ rule: 'definer-function', object, message })
    }
    if (definer && !fixedSearchPath) {
      const message = "runs with its owner's rights, and finds its tables by the search_path of the caller"
      findings.push({ rule: 'definer-search-path', object, message })
    }
  }
  return findings
}

/** Not bound by policies, or of no use to a service. */
const BROAD = ['truncate', 'references', 'trigger']

export function grantFindings(catalog: Catalog): RowSecurityFinding[] {
  const { relations, creators, mayMakeTemporary, maySetConfig, loginRole, userRole } = catalog
  const names: Record<string, string> = { login: loginRole, user: userRole, public: 'PUBLIC' }
  const findings: RowSecurityFinding[] = []
  for (const { name: object, granted } of relations) {
    if (granted.public.length > 0) {
      findings.push({ rule: 'public-grant', object, message: `grants PUBLIC ${granted.public.join(', ')}` })
    }
    for (const [by, all] of Object.entries({ login: granted.login, user: granted.user })) {
      const broad = all.filter((privilege) => BROAD.includes(privilege))
      if (broad.length === 0) continue
      findings.push({ rule: 'broad-grant', object, message: `grants ${names[by] ?? by} ${broad.join(', ')}` })
    }
  }
  for (const { schema: object, by } of creators) {
    if (by !== 'public' && creators.some((one) => one.schema === object && one.by === 'public')) continue
    findings.push({
      rule: 'schema-create',
      object,
      message: `lets ${names[by] ?? by} make tables and functions`,
    })
  }
  for (const by of fewest(mayMakeTemporary)) {
    const message = `${names[by] ?? by} may make temporary tables, which stand before those of the service`
    findings.push({ rule: 'temporary-tables', object: names[by] ?? by, message })
  }
  for (const by of fewest(maySetConfig).filter((who) => who !== 'login')) {
    const message = `${names[by] ?? by} may call set_config, and so rewrite claims from within an expression`
    findings.push({ rule: 'set-config', object: names[by] ?? by, message })
  }
  return findings
}

/** What everybody may, nobody is named for besides. */
function fewest(who: readonly string[]): readonly string[] {
  return who.includes('public') ? ['public'] : who
}

export function roleFindings({ roles }: Catalog): RowSecurityFinding[] {
  return roles
    .filter(({ superuser, bypassesRls }) => superuser || bypassesRls)
    .map(({ name: object, superuser }) => ({
      rule: 'powerful-role',
      object,
      message: superuser ? 'is a superuser, whom no policy binds' : 'has BYPASSRLS',
    }))
}
