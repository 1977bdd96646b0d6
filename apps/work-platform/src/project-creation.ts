import { randomUUID } from 'node:crypto'
import { recordAudit } from '@waybill/database'
import type { AuditOutcome, Database, Transaction } from '@waybill/database'
import { outliveRequest, Problem, unavailable } from '@waybill/service-kit'
import type { Logger, UserPrincipal } from '@waybill/service-kit'
import type { BasketsClient } from './clients.ts'
import { claimKey, fingerprintOf } from './idempotency.ts'
import { project, projectOf } from './project.ts'
import type { Project } from './project.ts'
import { RIGHTS } from './roles.ts'
import { keepAnswer, releaseKey } from './store/idempotency-keys.ts'
import { deleteAbandoned, insertAbandoned } from './store/leftovers.ts'
import * as store from './store/projects.ts'
import type { ProjectRow } from './store/projects.ts'
import type { Tables } from './tables.ts'
import { personalWorkspace, workspaceFor } from './workspaces.ts'

type Tx = Transaction<Tables>

/** How long the last step, or the way back, may take after the client has stopped waiting; in milliseconds. */
export const FINISHING_MS = 10_000
/** How long the way back waits for substrate-api, in milliseconds. */
const REMOVAL_MS = 2_000

export interface NewProject {
  /** The caller's personal workspace when absent. */
  workspaceId?: string | undefined
  name: string
  description: string
}

export interface ProjectCreationOptions {
  database: Database<Tables>
  baskets: BasketsClient
  log: Logger
}

export type ProjectCreation = ReturnType<typeof createProjectCreation>

/**
 * Creating a project writes to two databases, which no transaction spans: a row that nobody sees yet, then the basket
 * under an id chosen beforehand, then the row made visible. What fails is undone, and what a crash leaves behind is
 * found by the reconciler.
 */
export function createProjectCreation({ database, baskets, log }: ProjectCreationOptions) {
  /** Makes the row visible. @throws Problem `unavailable` when the reconciler took the creation for interrupted */
  async function finish(principal: UserPrincipal, row: ProjectRow, answer: Project): Promise<void> {
    await database.withPrincipal(principal, async (tx) => {
      if (!(await store.activateProject(tx, row.id))) throw unavailable('The new project')
      await keepAnswer(tx, row.id, answer)
      await audit(tx, row, 'success')
    })
  }

  /** Takes the creation back. What goes wrong here is left to the reconciler: the client shall see the first failure. */
  async function undo(principal: UserPrincipal, row: ProjectRow, failure: unknown): Promise<void> {
    try {
      const isUndone = await database.withPrincipal(principal, async (tx) => {
        // No row: it became visible after all, only the word of it was lost; or the reconciler was here.
        if (!(await store.deleteProject(tx, row.id, 'creating'))) return false
        // That substrate-api did not answer does not mean that it did nothing.
        await insertAbandoned(tx, row)
        await releaseKey(tx, row.id)
        await audit(tx, row, 'failure', { code: failure instanceof Problem ? failure.code : 'internal' })
        return true
      })
      if (!isUndone) return
      const address = { workspaceId: row.workspace_id, id: row.basket_id }
      // A basket that is not there may still be on its way, so only one that was there is done with.
      const wasThere = await baskets.remove(address, { timeoutMs: REMOVAL_MS })
      if (wasThere) await database.withPrincipal(principal, (tx) => deleteAbandoned(tx, row))
    } catch (error) {
      log.warn({ err: error, project_id: row.id }, 'what a failed creation left is for the reconciler')
    }
  }

  return {
    /**
     * The new project; or, when the same was asked with the same key before, the same answer again.
     * @throws Problem `not_found`, `forbidden`; `conflict`, `unprocessable` for the key; `unavailable`, `timeout` or
     *   `upstream_failed`, and then there is no project
     */
    async create(
      principal: UserPrincipal,
      wanted: NewProject,
      key?: string,
    ): Promise<{ project: Project; isRepeated: boolean }> {
      const begun = await database.withPrincipal(principal, (tx) => begin(tx, principal, wanted, key))
      if ('answered' in begun) return { project: begun.answered, isRepeated: true }
      const { row } = begun
      try {
        const basket = await baskets.create({
          workspaceId: row.workspace_id,
          id: row.basket_id,
          name: row.name,
          metadata: { project_id: row.id },
        })
        const created = projectOf(row, basket)
        await outliveRequest(FINISHING_MS, () => finish(principal, row, created))
        return { project: created, isRepeated: false }
      } catch (error) {
        await outliveRequest(FINISHING_MS, () => undo(principal, row, error))
        throw error
      }
    },
  }
}

async function begin(
  tx: Tx,
  principal: UserPrincipal,
  wanted: NewProject,
  key: string | undefined,
): Promise<{ row: ProjectRow } | { answered: Project }> {
  const { workspaceId, name, description } = wanted
  const workspace =
    workspaceId === undefined
      ? await personalWorkspace(tx, principal)
      : await workspaceFor(tx, principal, workspaceId)
  if (!RIGHTS[workspace.role].createsProjects) {
    throw new Problem(
      'forbidden',
      `Your role in this workspace is ${workspace.role}: you may not create projects.`,
    )
  }
  const id = randomUUID()
  if (key !== undefined) {
    const fingerprint = fingerprintOf({ workspace_id: workspace.id, name, description })
    const answer = await claimKey(tx, principal, { key, fingerprint, projectId: id })
    if (answer) return { answered: project.parse(answer) }
  }
  const row = await store.insertProject(tx, {
    id,
    workspace_id: workspace.id,
    name,
    description,
    basket_id: randomUUID(),
  })
  await audit(tx, row, 'intent')
  return { row }
}

async function audit(tx: Tx, row: ProjectRow, outcome: AuditOutcome, details?: Record<string, unknown>) {
  const resource = `workspaces/${row.workspace_id}/projects/${row.id}`
  await recordAudit(tx, { action: 'project.create', resource, outcome, ...(details && { details }) })
}
