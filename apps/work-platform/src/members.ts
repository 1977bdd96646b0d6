import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import { RIGHTS } from './roles.ts'
import type { Role } from './roles.ts'
import * as store from './store/memberships.ts'
import type { MembershipRow } from './store/memberships.ts'
import { lock } from './store/workspaces.ts'
import type { Tables } from './tables.ts'
import { workspaceFor } from './workspaces.ts'

export interface MembersOptions {
  database: Database<Tables>
  /** How many members a workspace may have. */
  maxMembers: number
}

export type Members = ReturnType<typeof createMembers>

/** Who is a member of a workspace, and as what. */
export function createMembers({ database, maxMembers }: MembersOptions) {
  return {
    /** All members, first come first. @throws Problem `not_found` when the caller is none */
    async list(principal: UserPrincipal, workspaceId: string): Promise<MembershipRow[]> {
      return database.withPrincipal(
        principal,
        async (tx) => {
          await workspaceFor(tx, principal, workspaceId)
          return store.membersOf(tx, workspaceId)
        },
        { readOnly: true },
      )
    },

    /**
     * Lets a user in. Whether there is such a user is known to auth-service alone, so the id is taken as it is.
     * @throws Problem `forbidden` when the caller's role does not manage that role; `conflict` when the user is a
     *   member already, the workspace is personal, or full
     */
    async add(
      principal: UserPrincipal,
      workspaceId: string,
      { userId, role }: { userId: string; role: Role },
    ): Promise<MembershipRow> {
      return database.withPrincipal(principal, async (tx) => {
        const workspace = await workspaceFor(tx, principal, workspaceId)
        if (!RIGHTS[workspace.role].manages.includes(role))
          throw mayNot(workspace.role, `add a member as ${role}`)
        if (workspace.kind === 'personal')
          throw new Problem('conflict', 'A personal workspace has one member.')
        await lock(tx, `workspace:${workspaceId}`)
        const members = await store.membersOf(tx, workspaceId)
        if (members.some((member) => member.user_id === userId))
          throw new Problem('conflict', `${userId} is a member of this workspace already.`)
        if (members.length >= maxMembers) {
          throw new Problem(
            'conflict',
            `The workspace has ${maxMembers} members, which is the most it may have.`,
          )
        }
        const added = await store.insertMembership(tx, { workspace_id: workspaceId, user_id: userId, role })
        const resource = `workspaces/${workspaceId}/members/${userId}`
        await recordAudit(tx, { action: 'member.add', resource, outcome: 'success', details: { role } })
        return added
      })
    },

    /**
     * Ends a membership: somebody else's, or one's own by leaving. It counts from the next request on.
     * @throws Problem `not_found` when the user is no member; `forbidden` when the caller's role does not manage them;
     *   `conflict` when it is the last owner
     */
    async remove(principal: UserPrincipal, workspaceId: string, userId: string): Promise<void> {
      await database.withPrincipal(principal, async (tx) => {
        const { role } = await workspaceFor(tx, principal, workspaceId)
        // Two owners who leave at the same moment would each see the other.
        await lock(tx, `workspace:${workspaceId}`)
        const members = await store.membersOf(tx, workspaceId)
        const leaving = members.find((member) => member.user_id === userId)
        if (!leaving) throw new Problem('not_found', `No member ${userId} in this workspace.`)
        if (userId !== principal.userId && !RIGHTS[role].manages.includes(leaving.role)) {
          throw mayNot(role, `remove a member who is ${leaving.role}`)
        }
        const owners = members.filter((member) => member.role === 'owner')
        if (leaving.role === 'owner' && owners.length === 1) {
          throw new Problem('conflict', 'The last owner cannot leave. Make another member owner first.')
        }
        await store.deleteMembership(tx, workspaceId, userId)
        const resource = `workspaces/${workspaceId}/members/${userId}`
        const details = { role: leaving.role }
        await recordAudit(tx, { action: 'member.remove', resource, outcome: 'success', details })
      })
    },
  }
}

function mayNot(role: Role, what: string): Problem {
  return new Problem('forbidden', `Your role in this workspace is ${role}: you may not ${what}.`)
}
