/** What can be allowed, and the roles that are allowed it by default. `*` is everything; `tasks.*` everything of tasks. */
export const PERMISSIONS = {
  '*': { description: 'All permissions', roles: ['admin'] },
  'tasks.create': { description: 'Create new tasks', roles: ['admin', 'user'] },
  'tasks.read': { description: 'View tasks', roles: ['admin', 'user', 'viewer'] },
  'tasks.update': { description: 'Update tasks', roles: ['admin', 'user'] },
  'tasks.delete': { description: 'Delete tasks', roles: ['admin', 'user'] },
  'memory.read': { description: 'Read memory data', roles: ['admin', 'user', 'viewer'] },
  'memory.write': { description: 'Write memory data', roles: ['admin', 'user'] },
  'agents.query': { description: 'Query agents', roles: ['admin', 'user'] },
  'llm.custom_urls': { description: 'Have provider keys sent to endpoints of their own', roles: ['admin'] },
  'stats.read': { description: 'View statistics', roles: ['admin', 'user'] },
  'audit.read': { description: "Read the audit of anybody's data", roles: ['admin'] },
  'auth.admin': { description: 'Manage users, services, keys and the audit', roles: ['admin'] },
} as const satisfies Record<string, { description: string; roles: readonly Role[] }>

export const ROLES = ['admin', 'user', 'viewer'] as const
export type Role = (typeof ROLES)[number]
export type Permission = keyof typeof PERMISSIONS

/** What a role is allowed; for admin that is `*` alone, since it covers the rest. An unknown role is allowed nothing. */
export function permissionsOf(role: string): Permission[] {
  if (role === 'admin') return ['*']
  const entries = Object.entries(PERMISSIONS) as [Permission, { roles: readonly string[] }][]
  return entries.filter(([, { roles }]) => roles.includes(role)).map(([permission]) => permission)
}

/** Whether a set of granted permissions covers the wanted one, wildcards included. */
export function hasPermission(granted: readonly string[], wanted: string): boolean {
  return granted.some((held) => covers(held, wanted))
}

/** What both sides allow: `*` with `memory.read` is `memory.read`. */
export function intersectPermissions(left: readonly string[], right: readonly string[]): string[] {
  const both = [
    ...left.filter((permission) => hasPermission(right, permission)),
    ...right.filter((permission) => hasPermission(left, permission)),
  ]
  return [...new Set(both)]
}

function covers(held: string, wanted: string): boolean {
  if (held === '*' || held === wanted) return true
  return held.endsWith('.*') && wanted.startsWith(held.slice(0, -1))
}
