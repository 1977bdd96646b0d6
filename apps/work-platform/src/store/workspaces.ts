import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { PageRequest } from '../cursor.ts'
import type { Role } from '../roles.ts'
import type { Tables } from '../tables.ts'

type Tx = Transaction<Tables>
/** A workspace with the role that one user has in it. */
export type WorkspaceRow = Selectable<Tables['workspaces']> & { role: Role }

/** Makes the workspace; the database makes its creator the first owner in the same statement. */
export async function insertWorkspace(
  tx: Tx,
  workspace: { id: string; name: string; kind: 'personal' | 'team' },
): Promise<void> {
  // Nothing is returned here, because the creator sees the row only once the membership is there.
  await tx.insertInto('workspaces').values(workspace).execute()
}

export async function findWorkspace(tx: Tx, userId: string, id: string): Promise<WorkspaceRow | undefined> {
  return workspacesOf(tx, userId).where('workspaces.id', '=', id).executeTakeFirst()
}

export async function findPersonalWorkspace(tx: Tx, userId: string): Promise<WorkspaceRow | undefined> {
  return workspacesOf(tx, userId)
    .where('workspaces.kind', '=', 'personal')
    .where('workspaces.created_by', '=', userId)
    .executeTakeFirst()
}

export async function newestWorkspaces(tx: Tx, userId: string, { limit, cursor }: PageRequest) {
  return workspacesOf(tx, userId)
    .$if(cursor !== undefined, (query) =>
      query.where(
        sql<boolean>`(workspaces.created_at, workspaces.id) < (${cursor?.created_at}, ${cursor?.id}::uuid)`,
      ),
    )
    .orderBy('workspaces.created_at', 'desc')
    .orderBy('workspaces.id', 'desc')
    .limit(limit)
    .execute()
}

function workspacesOf(tx: Tx, userId: string) {
  return tx
    .selectFrom('workspaces')
    .innerJoin('memberships', 'memberships.workspace_id', 'workspaces.id')
    .where('memberships.user_id', '=', userId)
    .selectAll('workspaces')
    .select('memberships.role')
}

/** Waits until no other transaction holds the lock of that name; held to the end of this one. */
export async function lock(tx: Tx, name: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(tx)
}
