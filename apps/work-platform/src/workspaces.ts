import { randomUUID } from 'node:crypto'
import { recordAudit } from '@waybill/database'
import type { Database, Transaction } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import { pageOf } from './cursor.ts'
import type { PageRequest } from './cursor.ts'
import * as store from './store/workspaces.ts'
import type { WorkspaceRow } from './store/workspaces.ts'
import type { Tables } from './tables.ts'

type Tx = Transaction<Tables>
export type Workspaces = ReturnType<typeof createWorkspaces>

/** The workspaces that the caller is a member of; others do not exist for them. */
export function createWorkspaces(database: Database<Tables>) {
  return {
    /** A new workspace with the caller as its owner. */
    async create(principal: UserPrincipal, name: string): Promise<WorkspaceRow> {
      return database.withPrincipal(principal, (tx) => insert(tx, principal, { name, kind: 'team' }))
    },

    async list(principal: UserPrincipal, { limit, cursor }: PageRequest) {
      const wanted = { limit: limit + 1, cursor }
      const rows = await database.withPrincipal(
        principal,
        (tx) => store.newestWorkspaces(tx, principal.userId, wanted),
        { readOnly: true },
      )
      return pageOf(rows, limit)
    },

    /** @throws Problem `not_found` */
    async get(principal: UserPrincipal, id: string): Promise<WorkspaceRow> {
      return database.withPrincipal(principal, (tx) => workspaceFor(tx, principal, id), { readOnly: true })
    },
  }
}

/**
 * The workspace with the caller's role in it, as the database has it now: a membership that has ended, ends at once.
 * @throws Problem `not_found`, the same whether there is no such workspace or the caller is no member
 */
export async function workspaceFor(tx: Tx, principal: UserPrincipal, id: string): Promise<WorkspaceRow> {
  const workspace = await store.findWorkspace(tx, principal.userId, id)
  if (!workspace) throw new Problem('not_found', `No workspace ${id}.`)
  return workspace
}

/** The caller's own workspace, made when it is first needed. */
export async function personalWorkspace(tx: Tx, principal: UserPrincipal): Promise<WorkspaceRow> {
  const existing = await store.findPersonalWorkspace(tx, principal.userId)
  if (existing) return existing
  await store.lock(tx, `personal:${principal.userId}`)
  const made = await store.findPersonalWorkspace(tx, principal.userId)
  return made ?? insert(tx, principal, { name: 'Personal', kind: 'personal' })
}

async function insert(
  tx: Tx,
  principal: UserPrincipal,
  { name, kind }: Pick<WorkspaceRow, 'name' | 'kind'>,
): Promise<WorkspaceRow> {
  const id = randomUUID()
  await store.insertWorkspace(tx, { id, name, kind })
  await recordAudit(tx, { action: 'workspace.create', resource: `workspaces/${id}`, outcome: 'success' })
  return workspaceFor(tx, principal, id)
}
