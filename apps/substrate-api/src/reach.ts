import { subjectOf } from '@waybill/service-kit'
import type { Principal } from '@waybill/service-kit'
import type { Reader } from './store.ts'
import { cameByOwnKey, scopeOf } from './workspace.ts'
import type { Claimed, Scope } from './workspace.ts'

/** Which baskets a reader has before it. */
export interface Reach extends Pick<Scope, 'principal' | 'claimed'> {
  reader: Reader
  /** What the audit calls the place that was looked at. */
  place: string
}

/**
 * The baskets of one workspace; or, for a user who came with an API key, those that the user made, in whatever
 * workspace. @throws Problem as scopeOf()
 */
export function reachOf(principal: Principal, claimed: Claimed): Reach {
  if (cameByOwnKey(principal)) {
    const maker = subjectOf(principal)
    return {
      principal,
      claimed: {},
      reader: { column: 'created_by', value: maker },
      place: `makers/${maker}`,
    }
  }
  const scope = scopeOf(principal, claimed)
  const { workspaceId } = scope
  return {
    ...scope,
    reader: { column: 'workspace_id', value: workspaceId },
    place: `workspaces/${workspaceId}`,
  }
}
