import { Problem } from '@waybill/service-kit'
import type { Principal } from '@waybill/service-kit'

/**
 * The workspace that the caller's token is for; the only one that the request can see or touch.
 * @throws Problem `workspace_required`
 */
export function workspaceOf(principal: Principal): string {
  if (principal.workspaceId === undefined || principal.workspaceId === '') {
    throw new Problem('workspace_required', 'The token names no workspace.')
  }
  return principal.workspaceId
}

/** What callers of the older kind say in the body although the token says it. */
export interface Claimed {
  workspace_id?: string | undefined
  user_id?: string | undefined
}

/**
 * Holds what the body claims against the token; only the token counts.
 * @throws Problem `forbidden`, or `workspace_required`
 */
export function refuseOtherIdentity(principal: Principal, claimed: Claimed): void {
  const userId = principal.kind === 'user' ? principal.userId : undefined
  if (claimed.workspace_id !== undefined && claimed.workspace_id !== workspaceOf(principal)) {
    throw new Problem('forbidden', 'workspace_id is not the workspace of the token.')
  }
  if (claimed.user_id !== undefined && claimed.user_id !== userId) {
    throw new Problem('forbidden', 'user_id is not the user of the token.')
  }
}
