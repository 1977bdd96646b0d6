import { callingService, Problem } from '@waybill/service-kit'
import type { Principal } from '@waybill/service-kit'
import { z } from 'zod'

/** What callers of the older kind say in the body or the query, although a token would say it. */
export interface Claimed {
  workspace_id?: string | undefined
  user_id?: string | undefined
}

/** On whose authority, and in which workspace, a request is served. */
export interface Scope {
  /** With the workspace in it, and so in the claims of the transaction. */
  principal: Principal
  workspaceId: string
  /** For the audit: whom a caller without a token says it acts for. Written down, never believed. */
  claimed: { claimed_user?: string }
}

/**
 * The workspace that a request can see and touch: that of the token, and nothing that is claimed can be another one. A
 * service that came with its static secret has no token, so it has to name the workspace.
 * @throws Problem `workspace_required`, `forbidden`, or `validation_failed` for a claimed id that is no UUID
 */
export function scopeOf(principal: Principal, claimed: Claimed): Scope {
  if (principal.via === 'service-secret') return claimedScope(principal, claimed)
  if (principal.workspaceId === undefined || principal.workspaceId === '') {
    throw new Problem('workspace_required', 'The token names no workspace.')
  }
  const userId = principal.kind === 'user' ? principal.userId : undefined
  if (claimed.workspace_id !== undefined && claimed.workspace_id !== principal.workspaceId) {
    throw new Problem('forbidden', 'workspace_id is not the workspace of the token.')
  }
  if (claimed.user_id !== undefined && claimed.user_id !== userId) {
    throw new Problem('forbidden', 'user_id is not the user of the token.')
  }
  return { principal, workspaceId: principal.workspaceId, claimed: {} }
}

function claimedScope(principal: Principal, { workspace_id: workspaceId, user_id: userId }: Claimed): Scope {
  if (workspaceId === undefined || workspaceId === '') {
    throw new Problem('workspace_required', 'A service that comes with its secret names the workspace_id.')
  }
  checkId('workspace_id', workspaceId)
  if (userId !== undefined) checkId('user_id', userId)
  return {
    principal: { ...principal, workspaceId },
    workspaceId,
    claimed: userId === undefined ? {} : { claimed_user: userId },
  }
}

function checkId(name: string, value: string): void {
  if (z.uuid().safeParse(value).success) return
  throw new Problem('validation_failed', `${name} is not a UUID.`)
}

/** Whether a user calls by itself, with an API key: then there is no service that could say which workspace. */
export function cameByOwnKey(principal: Principal): boolean {
  return principal.kind === 'user' && principal.via === 'api-key' && callingService(principal) === undefined
}
