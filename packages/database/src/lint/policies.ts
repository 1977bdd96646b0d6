import type { Catalog, Command, Policy, Relation } from './catalog.ts'
import { claimOperands, bindsClaim, withoutSubselects } from './expression.ts'
import type { RowSecurityFinding } from './row-security.ts'

const COMMANDS: Command[] = ['select', 'insert', 'update', 'delete']

export function policyFindings(catalog: Catalog): RowSecurityFinding[] {
  const { relations, policies, functions } = catalog
  const tables = new Map(relations.map((relation) => [relation.name, relation]))
  const ownFunctions = functions.map(({ name }) => name.slice(name.indexOf('.') + 1))
  return [
    ...relations.flatMap((relation) => commandsWithoutPolicy(relation, catalog)),
    ...policies.flatMap((policy) => {
      const table = tables.get(policy.table)
      return table && policy.permissive ? findingsOf(policy, table, ownFunctions) : []
    }),
  ]
}

/** What is granted without a policy is refused row by row, which looks as if there were no rows. */
function commandsWithoutPolicy(
  relation: Relation,
  { policies, loginRole, userRole }: Catalog,
): RowSecurityFinding[] {
  if (!relation.enabled) return []
  const roles = [
    { role: loginRole, granted: relation.granted.login, applies: ({ forLogin }: Policy) => forLogin },
    { role: userRole, granted: relation.granted.user, applies: ({ forUser }: Policy) => forUser },
  ]
  return roles.flatMap(({ role, granted, applies }) => {
    const own = policies.filter(
      (policy) => policy.table === relation.name && policy.permissive && applies(policy),
    )
    const missing = COMMANDS.filter(
      (command) =>
        granted.includes(command) &&
        !own.some((policy) => policy.command === command || policy.command === 'all'),
    )
    if (missing.length === 0) return []
    const message = `grants ${role} ${missing.join(', ')}, for which there is no policy`
    return [{ rule: 'command-without-policy' as const, object: relation.name, message }]
  })
}

function findingsOf(policy: Policy, table: Relation, ownFunctions: readonly string[]): RowSecurityFinding[] {
  const object = `${policy.table}.${policy.name}`
  const findings: RowSecurityFinding[] = []
  const parts = [
    { name: 'using', text: policy.using },
    { name: 'with check', text: policy.check },
  ].flatMap(({ name, text }) => (text === null ? [] : [{ name, text }]))

  for (const { name, text } of parts) {
    // The service's own role sees what is its own; requests see what a claim lets them.
    if (policy.forUser && !bindsClaim(text, ownFunctions)) {
      findings.push({
        rule: 'open-policy',
        object,
        message: `${name} can be true whatever the claims: ${text}`,
      })
    }
    const rest = withoutSubselects(text, ownFunctions)
    const naked = ['current_setting', ...ownFunctions].find((called) => rest.includes(`${called}(`))
    if (naked !== undefined) {
      const message = `${name} calls ${naked}() for every row rather than once: (select ${naked}(...))`
      findings.push({ rule: 'policy-not-computed-once', object, message })
    }
  }

  const compared = policy.using === null ? [] : claimOperands(policy.using, ownFunctions)
  const indexed = compared.some((operand) =>
    table.indexes.some((columns) => serves(columns, operand, compared)),
  )
  if (compared.length > 0 && !indexed) {
    const message = `compares ${compared.join(', ')} with claims, and no index begins with that`
    findings.push({ rule: 'policy-without-index', object, message })
  }
  return findings
}

/** Whether an index of these columns finds an operand: it is first, or after others that are compared too. */
function serves(columns: readonly string[], operand: string, compared: readonly string[]): boolean {
  const at = columns.indexOf(operand)
  return at >= 0 && columns.slice(0, at).every((column) => compared.includes(column))
}
