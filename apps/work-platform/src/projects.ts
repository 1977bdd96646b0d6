import { recordAudit } from '@waybill/database'
import type { Database, Transaction } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import type { BasketsClient } from './clients.ts'
import { pageOf } from './cursor.ts'
import type { PageRequest } from './cursor.ts'
import { projectOf } from './project.ts'
import type { Project } from './project.ts'
import { RIGHTS } from './roles.ts'
import * as store from './store/projects.ts'
import type { ProjectRow } from './store/projects.ts'
import { findPersonalWorkspace } from './store/workspaces.ts'
import type { Tables } from './tables.ts'
import { workspaceFor } from './workspaces.ts'

export interface ProjectsOptions {
  database: Database<Tables>
  baskets: BasketsClient
}

export type Projects = ReturnType<typeof createProjects>

/** The projects of the workspaces that the caller is a member of. */
export function createProjects({ database, baskets }: ProjectsOptions) {
  return {
    /**
     * One page of a workspace's projects, of the caller's personal workspace when none is named. `partial` says that
     * substrate-api could not be asked for the baskets.
     * @throws Problem `not_found`
     */
    async list(principal: UserPrincipal, workspaceId: string | undefined, { limit, cursor }: PageRequest) {
      const rows = await database.withPrincipal(
        principal,
        async (tx) => {
          const workspace = await workspaceNamed(tx, principal, workspaceId)
          return workspace ? store.newestProjects(tx, workspace.id, { limit: limit + 1, cursor }) : []
        },
        { readOnly: true },
      )
      const { items, next_cursor } = pageOf(rows, limit)
      const details = await detailsOf(baskets, items)
      const projects = items.map((row) => projectOf(row, details?.get(row.basket_id) ?? null))
      return { items: projects, next_cursor, partial: details === undefined }
    },

    /** @throws Problem `not_found`; `unavailable`, `timeout` or `upstream_failed` when the basket cannot be had */
    async get(principal: UserPrincipal, id: string): Promise<Project> {
      const row = await database.withPrincipal(principal, (tx) => projectFor(tx, id), { readOnly: true })
      return projectOf(row, await baskets.find({ workspaceId: row.workspace_id, id: row.basket_id }))
    },

    /**
     * Deletes the project with its basket: the basket first, so that what fails leaves a project that can be deleted
     * again, and never a basket that nobody knows of.
     * @throws Problem `not_found`, `forbidden`; `unavailable`, `timeout` or `upstream_failed`
     */
    async remove(principal: UserPrincipal, id: string): Promise<void> {
      const row = await database.withPrincipal(
        principal,
        async (tx) => {
          const project = await projectFor(tx, id)
          await refuseDeletion(tx, principal, project)
          return project
        },
        { readOnly: true },
      )
      await baskets.remove({ workspaceId: row.workspace_id, id: row.basket_id })
      await database.withPrincipal(principal, async (tx) => {
        if (!(await store.deleteProject(tx, id, 'active'))) throw noProject(id)
        const resource = `workspaces/${row.workspace_id}/projects/${id}`
        await recordAudit(tx, { action: 'project.delete', resource, outcome: 'success' })
      })
    },
  }
}

async function workspaceNamed(tx: Transaction<Tables>, principal: UserPrincipal, id: string | undefined) {
  return id === undefined ? findPersonalWorkspace(tx, principal.userId) : workspaceFor(tx, principal, id)
}

async function projectFor(tx: Transaction<Tables>, id: string): Promise<ProjectRow> {
  const project = await store.findProject(tx, id)
  if (!project) throw noProject(id)
  return project
}

function noProject(id: string): Problem {
  return new Problem('not_found', `No project ${id}.`)
}

async function refuseDeletion(tx: Transaction<Tables>, principal: UserPrincipal, project: ProjectRow) {
  const { role } = await workspaceFor(tx, principal, project.workspace_id)
  const { deletesProjects } = RIGHTS[role]
  const mayDelete =
    deletesProjects === 'all' || (deletesProjects === 'own' && project.created_by === principal.userId)
  if (!mayDelete)
    throw new Problem('forbidden', `Your role in this workspace is ${role}: you may not delete this project.`)
}

const UNANSWERED = ['unavailable', 'timeout', 'upstream_failed']

/** The baskets of the projects, by id; undefined when substrate-api cannot be asked for them now. */
async function detailsOf(baskets: BasketsClient, rows: ProjectRow[]) {
  const [first] = rows
  if (!first) return new Map<string, never>()
  try {
    return await baskets.findAll(
      first.workspace_id,
      rows.map((row) => row.basket_id),
    )
  } catch (error) {
    if (error instanceof Problem && UNANSWERED.includes(error.code)) return undefined
    throw error
  }
}
