import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { PageRequest } from '../cursor.ts'
import type { Tables } from '../tables.ts'

type Tx = Transaction<Tables>
export type ProjectRow = Selectable<Tables['projects']>

export interface NewProject {
  id: string
  workspace_id: string
  name: string
  description: string
  basket_id: string
}

/** The new row, still 'creating'. */
export async function insertProject(tx: Tx, project: NewProject): Promise<ProjectRow> {
  return tx.insertInto('projects').values(project).returningAll().executeTakeFirstOrThrow()
}

/** Whether the row was still there, 'creating'. */
export async function activateProject(tx: Tx, id: string): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('projects')
    .set({ status: 'active' })
    .where('id', '=', id)
    .where('status', '=', 'creating')
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}

/** Whether there was such a row, and the caller may delete it. */
export async function deleteProject(tx: Tx, id: string, status: ProjectRow['status']): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('projects')
    .where('id', '=', id)
    .where('status', '=', status)
    .executeTakeFirstOrThrow()
  return numDeletedRows > 0n
}

export async function findProject(tx: Tx, id: string): Promise<ProjectRow | undefined> {
  return tx
    .selectFrom('projects')
    .selectAll()
    .where('id', '=', id)
    .where('status', '=', 'active')
    .executeTakeFirst()
}

export async function newestProjects(
  tx: Tx,
  workspaceId: string,
  { limit, cursor }: PageRequest,
): Promise<ProjectRow[]> {
  return tx
    .selectFrom('projects')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .where('status', '=', 'active')
    .$if(cursor !== undefined, (query) =>
      query.where(sql<boolean>`(created_at, id) < (${cursor?.created_at}, ${cursor?.id}::uuid)`),
    )
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
}
