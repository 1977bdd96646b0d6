import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { RIGHTS, ROLES } from '../src/roles.ts'
import { makeWorld, startSetting } from './setting.ts'
import type { Setting, World } from './setting.ts'

let setting: Setting
let world: World
let members: string

beforeAll(async () => {
  setting = await startSetting({ WORKSPACE_MEMBERS_MAX: '8' })
})
afterAll(() => setting.close())
beforeEach(async () => {
  world = await makeWorld(setting)
  members = `/api/workspaces/${world.workspaceId}/members`
})

const as = (name: keyof World['users']) => setting.as(world.users[name])
const rolesNow = async () => {
  const rows = await setting.admin(
    'select user_id, role from memberships where workspace_id = $1 order by created_at, user_id',
    [world.workspaceId],
  )
  return Object.fromEntries(rows.map(({ user_id, role }) => [String(user_id), role]))
}

describe('a workspace', () => {
  test('belongs to whoever made it', async () => {
    const made = await as('outsider').post('/api/workspaces', { name: '  Mine ' })
    expect(made.status).toBe(201)
    expect(made.body).toEqual({
      id: expect.any(String),
      name: 'Mine',
      kind: 'team',
      role: 'owner',
      created_by: world.users.outsider,
      created_at: expect.stringMatching(/Z$/),
    })
    expect((await as('outsider').get(`/api/workspaces/${made.body.id}`)).body).toEqual(made.body)
    expect((await as('owner').get(`/api/workspaces/${made.body.id}`)).status).toBe(404)
  })

  test('is listed newest first, page by page, each of them once', async () => {
    const user = setting.as(`lister-${randomUUID()}`)
    for (const name of ['1', '2', '3', '4', '5']) await user.post('/api/workspaces', { name })
    const names: string[] = []
    let cursor = ''
    do {
      const { body } = await user.get(`/api/workspaces?limit=2${cursor && `&cursor=${cursor}`}`)
      names.push(...(body.items as { name: string }[]).map(({ name }) => name))
      cursor = body.next_cursor ?? ''
    } while (cursor)
    expect(names).toEqual(['5', '4', '3', '2', '1'])
  })
})

describe('members', () => {
  test('are listed first come first, with who let them in', async () => {
    for (const id of ['z', 'a']) await as('owner').post(members, { user_id: id, role: 'viewer' })
    const { body } = await as('viewer').get(members)
    expect(body.items).toHaveLength(6)
    expect((body.items as { user_id: string }[]).slice(-2).map(({ user_id }) => user_id)).toEqual(['z', 'a'])
    expect(body.items[5]).toEqual({
      workspace_id: world.workspaceId,
      user_id: 'a',
      role: 'viewer',
      added_by: world.users.owner,
      created_at: expect.stringMatching(/Z$/),
    })
  })

  test('see the workspace from the next request after they were added', async () => {
    const path = `/api/workspaces/${world.workspaceId}`
    expect((await as('outsider').get(path)).status).toBe(404)
    const added = await as('owner').post(members, { user_id: world.users.outsider })
    expect(added.status).toBe(201)
    expect(added.body).toMatchObject({
      user_id: world.users.outsider,
      role: 'member',
      added_by: world.users.owner,
    })
    expect((await as('outsider').get(path)).body.role).toBe('member')
  })

  test('see nothing from the next request after they were removed, whatever token they hold', async () => {
    const { users, workspaceId, projectId } = world
    const kept = setting.as(users.member, { workspaceId })
    expect((await kept.get(`/api/projects/${projectId}`)).status).toBe(200)
    expect((await as('admin').delete(`${members}/${users.member}`)).status).toBe(204)
    for (const path of [
      `/api/projects/${projectId}`,
      `/api/projects?workspace_id=${workspaceId}`,
      `/api/workspaces/${workspaceId}`,
      members,
    ]) {
      expect((await kept.get(path)).status).toBe(404)
    }
  })

  test('who are members already cannot be added again, as something else', async () => {
    const answer = await as('owner').post(members, { user_id: world.users.viewer, role: 'owner' })
    expect(answer.status).toBe(409)
    expect((await rolesNow())[world.users.viewer]).toBe('viewer')
  })

  test('who are unknown cannot be removed: 404', async () => {
    expect((await as('owner').delete(`${members}/nobody`)).status).toBe(404)
    expect((await as('owner').delete(`${members}/${world.users.removed}`)).status).toBe(404)
  })

  test('with ids of any issuer are taken as they are', async () => {
    for (const id of ['auth0|5f7c8ec7c33c6c004bbafe82', 'ann+tag@example.org', randomUUID()]) {
      expect((await as('owner').post(members, { user_id: id })).status).toBe(201)
      expect((await as('owner').delete(`${members}/${encodeURIComponent(id)}`)).status).toBe(204)
    }
  })

  test('are no more than the workspace may have, even when added at once', async () => {
    const adding = Array.from({ length: 8 }, (_, n) => as('owner').post(members, { user_id: `new-${n}` }))
    const statuses = (await Promise.all(adding)).map(({ status }) => status)
    expect(statuses.sort()).toEqual([201, 201, 201, 201, 409, 409, 409, 409])
    expect(Object.keys(await rolesNow())).toHaveLength(8)
  })

  test('added twice at once are added once', async () => {
    const adding = Array.from({ length: 4 }, () => as('owner').post(members, { user_id: 'same' }))
    const statuses = (await Promise.all(adding)).map(({ status }) => status)
    expect(statuses.sort()).toEqual([201, 409, 409, 409])
  })

  test('come and go with an audit row each', async () => {
    await as('admin').post(members, { user_id: 'x', role: 'viewer' }, { 'X-Request-ID': 'adds' })
    await as('admin').delete(`${members}/x`, { 'X-Request-ID': 'removes' })
    const rows = await setting.admin(
      `select actor, action, resource, outcome, details from audit where request_id in ('adds', 'removes') order by id`,
    )
    const row = {
      actor: `user:${world.users.admin}`,
      resource: `workspaces/${world.workspaceId}/members/x`,
      outcome: 'success',
      details: { role: 'viewer' },
    }
    expect(rows).toEqual([
      { ...row, action: 'member.add' },
      { ...row, action: 'member.remove' },
    ])
  })
})

describe('a role manages the roles that it may, and no others', () => {
  const pairs = ROLES.flatMap((role) => ROLES.map((target) => [role, target] as const))

  test.each(pairs)('%s adds %s', async (role, target) => {
    const answer = await as(role).post(members, { user_id: 'newcomer', role: target })
    expect(answer.status).toBe(RIGHTS[role].manages.includes(target) ? 201 : 403)
    expect((await rolesNow()).newcomer).toBe(answer.status === 201 ? target : undefined)
  })

  test.each(pairs)('%s removes %s', async (role, target) => {
    await as('owner').post(members, { user_id: 'target', role: target })
    const answer = await as(role).delete(`${members}/target`)
    expect(answer.status).toBe(RIGHTS[role].manages.includes(target) ? 204 : 403)
    expect((await rolesNow()).target).toBe(answer.status === 204 ? undefined : target)
  })

  test.each(['admin', 'member', 'viewer'] as const)('%s may leave', async (role) => {
    expect((await as(role).delete(`${members}/${world.users[role]}`)).status).toBe(204)
    expect((await as(role).get(members)).status).toBe(404)
  })

  test('owners manage everybody, admins members and viewers, the others nobody', () => {
    expect(ROLES.map((role) => RIGHTS[role].manages)).toEqual([ROLES, ['member', 'viewer'], [], []])
  })
})

describe('the last owner', () => {
  test('cannot leave, until another member is owner', async () => {
    const { owner, outsider } = world.users
    const refused = await as('owner').delete(`${members}/${owner}`)
    expect(refused.status).toBe(409)
    expect(refused.body.detail).toContain('last owner')
    await as('owner').post(members, { user_id: outsider, role: 'owner' })
    expect((await as('owner').delete(`${members}/${owner}`)).status).toBe(204)
    expect((await as('outsider').delete(`${members}/${outsider}`)).status).toBe(409)
  })

  test('remains when all owners leave at the same moment', async () => {
    const owners = [world.users.owner, 'owner-2', 'owner-3', 'owner-4']
    for (const id of owners.slice(1)) await as('owner').post(members, { user_id: id, role: 'owner' })
    const answers = await Promise.all(owners.map((id) => setting.as(id).delete(`${members}/${id}`)))
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 204, 204, 409])
    expect(Object.values(await rolesNow()).filter((role) => role === 'owner')).toHaveLength(1)
  })

  test('remains when two owners remove each other at the same moment', async () => {
    await as('owner').post(members, { user_id: 'rival', role: 'owner' })
    const answers = await Promise.all([
      as('owner').delete(`${members}/rival`),
      setting.as('rival').delete(`${members}/${world.users.owner}`),
    ])
    // Who came second is no member any more.
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404])
    expect(Object.values(await rolesNow()).filter((role) => role === 'owner')).toHaveLength(1)
  })
})

describe('the personal workspace', () => {
  const person = () => setting.as(`person-${randomUUID()}`)

  test('is made when the first project is created without a workspace, and used again', async () => {
    const me = person()
    expect((await me.get('/api/projects')).body).toEqual({ items: [], next_cursor: null, partial: false })
    expect((await me.get('/api/workspaces')).body.items).toEqual([])
    const first = await me.post('/api/projects', { name: 'One' })
    const second = await me.post('/api/projects', { name: 'Two' })
    expect(second.body.workspace_id).toBe(first.body.workspace_id)
    expect((await me.get('/api/workspaces')).body.items).toMatchObject([
      { id: first.body.workspace_id, name: 'Personal', kind: 'personal', role: 'owner' },
    ])
    const listed = (await me.get('/api/projects')).body.items as { name: string }[]
    expect(listed.map(({ name }) => name)).toEqual(['Two', 'One'])
  })

  test('is made once, by whichever of many first requests comes first', async () => {
    const me = person()
    const made = await Promise.all(
      Array.from({ length: 5 }, (_, n) => me.post('/api/projects', { name: `${n}` })),
    )
    expect(made.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201])
    expect(new Set(made.map(({ body }) => body.workspace_id as string)).size).toBe(1)
  })

  test('has one member: nobody is added, and its owner cannot leave', async () => {
    const me = `person-${randomUUID()}`
    const { body } = await setting.as(me).post('/api/projects', { name: 'Mine' })
    const path = `/api/workspaces/${body.workspace_id}/members`
    expect((await setting.as(me).post(path, { user_id: 'friend' })).status).toBe(409)
    expect((await setting.as(me).delete(`${path}/${me}`)).status).toBe(409)
  })
})
