import type { Transaction } from '@waybill/database'
import type { Selectable } from 'kysely'
import type { Role } from '../roles.ts'
import type { Tables } from '../tables.ts'

type Tx = Transaction<Tables>
export type MembershipRow = Selectable<Tables['memberships']>

export async function insertMembership(
  tx: Tx,
  membership: { workspace_id: string; user_id: string; role: Role },
): Promise<MembershipRow> {
  return tx.insertInto('memberships').values(membership).returningAll().executeTakeFirstOrThrow()
}

/** All members of a workspace, first come first. */
export async function membersOf(tx: Tx, workspaceId: string): Promise<MembershipRow[]> {
  return tx
    .selectFrom('memberships')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .orderBy('created_at')
    .orderBy('user_id')
    .execute()
}

/** Whether there was such a membership, and the caller may end it. */
export async function deleteMembership(tx: Tx, workspaceId: string, userId: string): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('memberships')
    .where('workspace_id', '=', workspaceId)
    .where('user_id', '=', userId)
    .executeTakeFirstOrThrow()
  return numDeletedRows > 0n
}
