import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeWorld, startSetting } from './setting.ts'
import type { Setting, World } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())

interface Case {
  path: (world: World) => string
  body?: (world: World) => object
  /** What each kind of member is answered. */
  viewer: number
  member: number
  admin: number
  owner: number
  /** Who is no member: sees nothing of it, or only what is their own. */
  stranger: number
}

const inWorkspace =
  (rest = '') =>
  (world: World) =>
    `/api/workspaces/${world.workspaceId}${rest}`

/** One request to each route, about a workspace and a project that the caller may or may not belong to. */
const ROUTES: Record<string, Case> = {
  'GET /api/workspaces': { path: () => '/api/workspaces', ...everybody(200) },
  'POST /api/workspaces': { path: () => '/api/workspaces', body: () => ({ name: 'New' }), ...everybody(201) },
  'GET /api/workspaces/:id': { path: inWorkspace(), ...members(200) },
  'GET /api/workspaces/:id/members': { path: inWorkspace('/members'), ...members(200) },
  'POST /api/workspaces/:id/members': {
    path: inWorkspace('/members'),
    body: () => ({ user_id: 'newcomer', role: 'viewer' }),
    ...members(201),
    member: 403,
    viewer: 403,
  },
  'DELETE /api/workspaces/:id/members/:user_id': {
    path: (world) => inWorkspace(`/members/${world.users.viewer}`)(world),
    ...members(204), // for the viewer this is leaving
    member: 403,
  },
  'GET /api/projects': {
    path: (world) => `/api/projects?workspace_id=${world.workspaceId}`,
    ...members(200),
  },
  'POST /api/projects': {
    path: () => '/api/projects',
    body: (world) => ({ workspace_id: world.workspaceId, name: 'New' }),
    ...members(201),
    viewer: 403,
  },
  'GET /api/projects/:id': { path: (world) => `/api/projects/${world.projectId}`, ...members(200) },
  'DELETE /api/projects/:id': {
    path: (world) => `/api/projects/${world.projectId}`,
    ...members(204),
    viewer: 403,
  },
}

function everybody(status: number) {
  return { viewer: status, member: status, admin: status, owner: status, stranger: status }
}

function members(status: number) {
  return { ...everybody(status), stranger: 404 }
}

const fixed = (status: number) => () => status
interface Caller {
  token: (world: World) => Promise<string | undefined>
  headers?: (world: World) => Record<string, string>
  expected: (route: Case) => number
}
const tokenOf = (name: keyof World['users']) => (world: World) => setting.issuer.userToken(world.users[name])

const CALLERS: Record<string, Caller> = {
  nobody: { token: () => Promise.resolve(undefined), expected: fixed(401) },
  'an owner whose token has expired': {
    token: ({ users }) =>
      setting.issuer.userToken(users.owner, { issuedAt: Math.floor(Date.now() / 1000) - 3600 }),
    expected: fixed(401),
  },
  'an owner with a token for another service': {
    token: ({ users }) => setting.issuer.userToken(users.owner, { audience: 'data_store' }),
    expected: fixed(401),
  },
  'an owner with a token of another issuer': {
    token: ({ users }) => setting.issuer.userToken(users.owner, { issuer: 'https://elsewhere.example' }),
    expected: fixed(401),
  },
  'an owner without any permission': {
    token: ({ users }) => setting.issuer.userToken(users.owner, { scope: '' }),
    expected: fixed(403),
  },
  'an owner with permissions of other kinds': {
    token: ({ users }) =>
      setting.issuer.userToken(users.owner, { scope: 'memory.read memory.write agents.query tasks.update' }),
    expected: fixed(403),
  },
  'a service in its own name': {
    token: () => setting.issuer.serviceToken('gateway', { scope: '*' }),
    expected: fixed(403),
  },
  'a service that names the workspace': {
    token: ({ workspaceId }) => setting.issuer.serviceToken('substrate-api', { scope: '*', workspaceId }),
    expected: fixed(403),
  },
  'an outsider': { token: tokenOf('outsider'), expected: (route) => route.stranger },
  'an outsider whose token names the workspace': {
    token: ({ users, workspaceId }) => setting.issuer.userToken(users.outsider, { workspaceId }),
    expected: (route) => route.stranger,
  },
  'an outsider who names the workspace in headers': {
    token: tokenOf('outsider'),
    headers: ({ workspaceId }) => ({ 'X-Workspace-ID': workspaceId, X_Workspace_Id: workspaceId }),
    expected: (route) => route.stranger,
  },
  'an outsider who claims to be the owner in a header': {
    token: tokenOf('outsider'),
    headers: ({ users }) => ({ 'X-User-ID': users.owner }),
    expected: fixed(401),
  },
  'an administrator of the platform, who is no member': {
    token: ({ users }) => setting.issuer.userToken(users.outsider, { role: 'admin', scope: '*' }),
    expected: (route) => route.stranger,
  },
  'a removed member': { token: tokenOf('removed'), expected: (route) => route.stranger },
  'a viewer': { token: tokenOf('viewer'), expected: (route) => route.viewer },
  'a member': { token: tokenOf('member'), expected: (route) => route.member },
  'an admin': { token: tokenOf('admin'), expected: (route) => route.admin },
  'an owner': { token: tokenOf('owner'), expected: (route) => route.owner },
  'an owner by way of the gateway': {
    token: ({ users }) =>
      setting.issuer.userToken(users.owner, { audience: 'work-platform', actors: ['gateway'] }),
    headers: ({ users }) => ({ 'X-User-ID': users.owner, 'X-Tenant-ID': '', 'X-Service-Name': 'gateway' }),
    expected: (route) => route.owner,
  },
}

describe.each(Object.entries(CALLERS))('%s', (_, { token, headers, expected }) => {
  test.each(Object.entries(ROUTES))('%s', async (name, route) => {
    const world = await makeWorld(setting)
    const [method = ''] = name.split(' ')
    const answer = await setting
      .send(await token(world), method, route.path(world), route.body?.(world))
      .set(headers?.(world) ?? {})
    expect(answer.status).toBe(expected(route))
    if (expected(route) === route.stranger) expect(JSON.stringify(answer.body)).not.toContain('Ours')
    if (answer.status === 401) expect(answer.headers['www-authenticate']).toContain('Bearer')
    if (answer.status >= 400) await nothingHasChanged(world)
  })
})

async function nothingHasChanged({ workspaceId, projectId }: World): Promise<void> {
  expect(await setting.admin('select id from projects where workspace_id = $1', [workspaceId])).toEqual([
    { id: projectId },
  ])
  expect(
    await setting.admin('select 1 from memberships where workspace_id = $1', [workspaceId]),
  ).toHaveLength(4)
  expect([...(setting.substrate.baskets.get(workspaceId)?.keys() ?? [])]).toHaveLength(1)
}

test('every route has its row in the matrix', () => {
  const routes = setting.service.routes.map(({ method, path }) => `${method} ${path}`)
  expect(routes.sort()).toEqual(Object.keys(ROUTES).sort())
})

test('a stranger is told the same of a workspace and a project as of ones that do not exist', async () => {
  const world = await makeWorld(setting)
  const missing = { ...world, workspaceId: crypto.randomUUID(), projectId: crypto.randomUUID() }
  const outsider = setting.as(world.users.outsider)
  for (const path of [
    (w: World) => `/api/workspaces/${w.workspaceId}`,
    (w: World) => `/api/workspaces/${w.workspaceId}/members`,
    (w: World) => `/api/projects?workspace_id=${w.workspaceId}`,
    (w: World) => `/api/projects/${w.projectId}`,
  ]) {
    const said = async (w: World) => {
      const { status, body } = await outsider.get(path(w))
      const { detail, code } = body as { detail: string; code: string }
      return { status, code, detail: detail.replaceAll(/[0-9a-f-]{36}/g, 'ID') }
    }
    expect(await said(world)).toEqual(await said(missing))
  }
})

test('lists hold what is of the caller only', async () => {
  const world = await makeWorld(setting)
  const workspacesOf = async (userId: string) => {
    const { body } = await setting.as(userId).get('/api/workspaces')
    return (body.items as { id: string; role: string }[]).map(({ id, role }) => ({ id, role }))
  }
  expect(await workspacesOf(world.users.outsider)).toEqual([])
  expect(await workspacesOf(world.users.removed)).toEqual([])
  expect(await workspacesOf(world.users.viewer)).toEqual([{ id: world.workspaceId, role: 'viewer' }])
})

test('a role of the platform limits what a member may do: a viewer of the platform who owns a workspace reads only', async () => {
  const world = await makeWorld(setting)
  const owner = setting.as(world.users.owner, { role: 'viewer', scope: 'tasks.read memory.read' })
  expect((await owner.get(`/api/projects/${world.projectId}`)).status).toBe(200)
  const answer = await owner.delete(`/api/projects/${world.projectId}`)
  expect(answer.status).toBe(403)
  expect(answer.body).toMatchObject({ code: 'insufficient_permission', permission: 'tasks.delete' })
})

test('members delete projects of their own only', async () => {
  const world = await makeWorld(setting)
  const made = await setting
    .as(world.users.owner)
    .post('/api/projects', { workspace_id: world.workspaceId, name: "The owner's" })
  const member = setting.as(world.users.member)
  expect((await member.delete(`/api/projects/${made.body.id}`)).status).toBe(403)
  expect((await member.delete(`/api/projects/${world.projectId}`)).status).toBe(204)
})
