import { user } from '@waybill/auth'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import { z } from 'zod'
import { ROLES } from '../roles.ts'
import type { WorkspaceRow } from '../store/workspaces.ts'
import type { Workspaces } from '../workspaces.ts'
import { name, pageQuery, workspaceParams } from './input.ts'

const workspace = z.object({
  id: z.uuid(),
  name: z.string(),
  kind: z.enum(['personal', 'team']),
  /** The caller's. */
  role: z.enum(ROLES),
  created_by: z.string(),
  created_at: z.iso.datetime(),
})

export function workspaceRoutes(workspaces: Workspaces): Route[] {
  return [
    route('GET', '/api/workspaces', {
      summary: 'The workspaces that the caller is a member of, newest first',
      auth: user('tasks.read'),
      input: { query: pageQuery },
      output: z.object({ items: z.array(workspace), next_cursor: z.string().nullable() }),
      handle: async ({ principal, query }) => {
        const { items, next_cursor } = await workspaces.list(principal, query)
        return { items: items.map(asAnswered), next_cursor }
      },
    }),
    route('POST', '/api/workspaces', {
      summary: 'Create a workspace; the caller becomes its owner',
      auth: user('tasks.create'),
      input: { body: z.strictObject({ name }) },
      output: workspace,
      status: 201,
      handle: async ({ principal, body }) => asAnswered(await workspaces.create(principal, body.name)),
    }),
    route('GET', '/api/workspaces/:id', {
      summary: 'One workspace, with the role that the caller has in it',
      auth: user('tasks.read'),
      input: { params: workspaceParams },
      output: workspace,
      problems: ['not_found'],
      handle: async ({ principal, params }) => asAnswered(await workspaces.get(principal, params.id)),
    }),
  ]
}

function asAnswered(row: WorkspaceRow): z.input<typeof workspace> {
  return { ...row, created_at: row.created_at.toISOString() }
}
