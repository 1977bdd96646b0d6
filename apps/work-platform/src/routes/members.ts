import { user } from '@waybill/auth'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import { z } from 'zod'
import type { Members } from '../members.ts'
import { ROLES } from '../roles.ts'
import type { MembershipRow } from '../store/memberships.ts'
import { workspaceParams } from './input.ts'

/** The `sub` of a user's tokens, in the form that any issuer gives it: a UUID, `auth0|5f7c`, an e-mail address. */
const userId = z.string().regex(/^[\w.:@|+-]{1,200}$/, 'is not the id of a user')

const member = z.object({
  workspace_id: z.uuid(),
  user_id: z.string(),
  role: z.enum(ROLES),
  added_by: z.string(),
  created_at: z.iso.datetime(),
})

export function memberRoutes(members: Members): Route[] {
  return [
    route('GET', '/api/workspaces/:id/members', {
      summary: 'All members of a workspace, first come first',
      auth: user('tasks.read'),
      input: { params: workspaceParams },
      output: z.object({ items: z.array(member) }),
      problems: ['not_found'],
      handle: async ({ principal, params }) => {
        const rows = await members.list(principal, params.id)
        return { items: rows.map(asAnswered) }
      },
    }),
    route('POST', '/api/workspaces/:id/members', {
      summary: 'Add a user to a workspace: owners as anything, admins as member or viewer',
      auth: user('tasks.create'),
      input: {
        params: workspaceParams,
        body: z.strictObject({ user_id: userId, role: z.enum(ROLES).default('member') }),
      },
      output: member,
      status: 201,
      problems: ['forbidden', 'not_found', 'conflict'],
      handle: async ({ principal, params, body }) => {
        const added = await members.add(principal, params.id, { userId: body.user_id, role: body.role })
        return asAnswered(added)
      },
    }),
    route('DELETE', '/api/workspaces/:id/members/:user_id', {
      summary: 'Remove a member, or leave; the last owner cannot',
      auth: user('tasks.delete'),
      input: { params: workspaceParams.extend({ user_id: userId }) },
      status: 204,
      problems: ['forbidden', 'not_found', 'conflict'],
      handle: async ({ principal, params }) => {
        await members.remove(principal, params.id, params.user_id)
        return undefined
      },
    }),
  ]
}

function asAnswered(row: MembershipRow): z.input<typeof member> {
  return { ...row, created_at: row.created_at.toISOString() }
}
