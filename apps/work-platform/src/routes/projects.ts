import { user } from '@waybill/auth'
import { Problem, reply, route } from '@waybill/service-kit'
import type { ProblemCode, Route } from '@waybill/service-kit'
import { z } from 'zod'
import type { ProjectCreation } from '../project-creation.ts'
import { project } from '../project.ts'
import type { Projects } from '../projects.ts'
import { name, page, text } from './input.ts'

const params = z.object({ id: z.uuid() })
const BASKET_TROUBLE: ProblemCode[] = ['upstream_failed', 'unavailable', 'timeout']

export function projectRoutes(projects: Projects, creation: ProjectCreation): Route[] {
  return [
    route('GET', '/api/projects', {
      summary: "The projects of a workspace (of the caller's personal one unless said), newest first",
      auth: user('tasks.read'),
      input: { query: z.strictObject({ workspace_id: z.uuid().optional(), ...page }) },
      output: z.object({
        items: z.array(project),
        next_cursor: z.string().nullable(),
        /** True when substrate-api could not be asked, and every `basket` is null for that reason. */
        partial: z.boolean(),
      }),
      problems: ['not_found'],
      handle: ({ principal, query }) => projects.list(principal, query.workspace_id, query),
    }),
    route('POST', '/api/projects', {
      summary: 'Create a project with its basket; repeatable with an Idempotency-Key',
      auth: user('tasks.create'),
      input: {
        body: z.strictObject({
          /** The caller's personal workspace, made if need be, when absent. */
          workspace_id: z.uuid().optional(),
          name,
          description: text.max(5_000).default(''),
        }),
      },
      output: project,
      status: 201,
      problems: ['forbidden', 'not_found', 'conflict', 'unprocessable', ...BASKET_TROUBLE],
      handle: async ({ principal, body, req }) => {
        const key = idempotencyKey(req.headers['idempotency-key'])
        const { workspace_id: workspaceId, ...wanted } = body
        const created = await creation.create(principal, { workspaceId, ...wanted }, key)
        const headers: Record<string, string> = created.isRepeated ? { 'Idempotent-Replayed': 'true' } : {}
        return reply(201, created.project, headers)
      },
    }),
    route('GET', '/api/projects/:id', {
      summary: 'One project with its basket',
      auth: user('tasks.read'),
      input: { params },
      output: project,
      problems: ['not_found', ...BASKET_TROUBLE],
      handle: ({ principal, params: { id } }) => projects.get(principal, id),
    }),
    route('DELETE', '/api/projects/:id', {
      summary: 'Delete a project with its basket: owners and admins any, members their own',
      auth: user('tasks.delete'),
      input: { params },
      status: 204,
      problems: ['forbidden', 'not_found', ...BASKET_TROUBLE],
      handle: async ({ principal, params: { id } }) => {
        await projects.remove(principal, id)
        return undefined
      },
    }),
  ]
}

function idempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  if (typeof header === 'string' && /^[\x21-\x7e]{1,255}$/.test(header)) return header
  throw new Problem('validation_failed', 'Idempotency-Key must be 1 to 255 visible ASCII characters.')
}
