import { hasPermission, PERMISSIONS, permissionsOf } from '@waybill/auth'
import type { UserPrincipal } from '@waybill/service-kit'

export interface PermissionDecision {
  allowed: boolean
  decidedBy: 'role' | 'api_key' | 'scope' | 'policy'
  /** The role, the key's id, or the rule that decided. */
  decider: string
  /** For people, in one sentence. */
  reason: string
}

/** Whether the principal has `permission`, a wildcard included, and which of its role, its key and its token decided. */
export function decidePermission(principal: UserPrincipal, permission: string): PermissionDecision {
  const { role, apiKeyId, permissions } = principal
  const roleAllows = hasPermission(permissionsOf(role), permission)
  if (hasPermission(permissions, permission)) {
    return apiKeyId === undefined
      ? decision(true, 'role', role, `The role ${role} has ${permission}.`)
      : decision(true, 'api_key', apiKeyId, `The API key was given ${permission}, and its owner has it.`)
  }
  if (roleAllows && apiKeyId !== undefined)
    return decision(
      ...([false, 'api_key', apiKeyId] as const),
      `The role ${role} has ${permission}, but the API key was not given it.`,
    )
  if (roleAllows)
    return decision(
      ...([false, 'scope', 'token'] as const),
      `The role ${role} has ${permission}, but this token was issued for less.`,
    )
  if (!isKnown(permission))
    return decision(
      ...([false, 'policy', 'permission table'] as const),
      `There is no permission ${permission}, so no role but one with * has it.`,
    )
  return decision(false, 'role', role, `The role ${role} does not have ${permission}.`)
}

function decision(
  allowed: boolean,
  decidedBy: PermissionDecision['decidedBy'],
  decider: string,
  reason: string,
): PermissionDecision {
  return { allowed, decidedBy, decider, reason }
}

/** Whether the table has it, or something that the wildcard stands for. */
function isKnown(permission: string): boolean {
  return Object.keys(PERMISSIONS).some((known) => known !== '*' && hasPermission([permission], known))
}
