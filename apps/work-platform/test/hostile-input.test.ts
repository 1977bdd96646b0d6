import { randomUUID } from 'node:crypto'
import { loadConfig } from '@waybill/service-kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { configSchema } from '../src/config.ts'
import { makeWorld, startSetting } from './setting.ts'
import type { Agent, Setting, World } from './setting.ts'

let setting: Setting
let world: World
let owner: Agent

beforeAll(async () => {
  setting = await startSetting()
  world = await makeWorld(setting)
  owner = setting.as(world.users.owner)
})
afterAll(() => setting.close())

describe.each(['not-a-uuid', "' or 1=1 --", '%00', '..%2f..', '0', '00000000-0000-4000-8000-00000000000'])(
  'the id %s',
  (id) => {
    test.each([
      ['GET', `/api/workspaces/${id}`],
      ['GET', `/api/workspaces/${id}/members`],
      ['DELETE', `/api/workspaces/${id}/members/x`],
      ['GET', `/api/projects/${id}`],
      ['DELETE', `/api/projects/${id}`],
      ['GET', `/api/projects?workspace_id=${id}`],
    ])('%s %s is 400', async (method, path) => {
      const answer = await (method === 'GET' ? owner.get(path) : owner.delete(path))
      expect(answer.status).toBe(400)
      expect(answer.body).toMatchObject({ code: 'validation_failed', request_id: expect.any(String) })
    })
  },
)

const NAMES: [string, unknown, number][] = [
  ['nothing', undefined, 400],
  ['an empty text', '', 400],
  ['white space', ' \n\t', 400],
  ['201 characters', 'n'.repeat(201), 400],
  ['a number', 1, 400],
  ['NUL', 'a\0b', 400],
  ['half of a surrogate pair', 'a\ud800', 400],
  ['200 characters', 'n'.repeat(200), 201],
  ['quotes and tags', `'; drop table projects; -- <script>"`, 201],
  ['Unicode', 'Überraschung 🦑 مشروع', 201],
]

describe.each(NAMES)('the name %s', (_, name, status) => {
  test('of a workspace', async () => {
    const answer = await owner.post('/api/workspaces', { name })
    expect(answer.status).toBe(status)
    if (status === 201) expect(answer.body.name).toBe(name)
  })

  test('of a project', async () => {
    const answer = await owner.post('/api/projects', { workspace_id: world.workspaceId, name })
    expect(answer.status).toBe(status)
    if (status === 201) expect(answer.body).toMatchObject({ name, basket: { name } })
  })
})

test.each<[string, object]>([
  ['a workspace id that is none', { name: 'x', workspace_id: 'x' }],
  ['a description of 5,001 characters', { name: 'x', description: 'd'.repeat(5_001) }],
  ['a description with NUL', { name: 'x', description: '\0' }],
  ['a basket of its own choice', { name: 'x', basket_id: randomUUID() }],
  ['a creator of its own choice', { name: 'x', created_by: 'mallory' }],
  ['a status', { name: 'x', status: 'active' }],
])('a project with %s is 400', async (_, body) => {
  const before = await setting.admin('select count(*) from projects')
  expect((await owner.post('/api/projects', body)).status).toBe(400)
  expect(await setting.admin('select count(*) from projects')).toEqual(before)
})

test.each<[string, object]>([
  ['no user', {}],
  ['an empty user id', { user_id: '' }],
  ['a user id with white space', { user_id: 'a b' }],
  ['a user id with NUL', { user_id: 'a\0' }],
  ['a user id with a line break', { user_id: 'a\n' }],
  ['a user id of 201 characters', { user_id: 'u'.repeat(201) }],
  ['a role that nobody knows', { user_id: 'u', role: 'superuser' }],
  ['a role that every object has', { user_id: 'u', role: 'constructor' }],
])('a member with %s is 400', async (_, body) => {
  expect((await owner.post(`/api/workspaces/${world.workspaceId}/members`, body)).status).toBe(400)
})

test.each([
  'limit=0',
  'limit=101',
  'limit=x',
  'cursor=x',
  `cursor=2026-13-45T99:99:99.999Z_${randomUUID()}`,
  `cursor=2026-01-01T00:00:00.000Z_${'-'.repeat(36)}`,
  'workspace_id=a&workspace_id=b',
  'user_id=mallory',
])('the query %s is 400', async (query) => {
  expect((await owner.get(`/api/projects?${query}`)).status).toBe(400)
  expect((await owner.get(`/api/workspaces?${query}`)).status).toBe(400)
})

test.each([
  ['a list', '[]', 400],
  ['null', 'null', 400],
  ['broken JSON', '{"name":', 400],
  ['larger than the limit', `{"name":"${'x'.repeat(1024 ** 2)}"}`, 413],
])('a body that is %s is refused', async (_, text, status) => {
  const token = await setting.issuer.userToken(world.users.owner)
  const answer = await setting.send(token, 'POST', '/api/projects').type('json').send(text)
  expect(answer.status).toBe(status)
})

test.each([`x' or '1'='1`, '*', '%', 'ü'.repeat(50)])(
  'the user id %s in a token stays a value',
  async (userId) => {
    const user = setting.as(userId)
    expect((await user.get('/api/workspaces')).body.items).toEqual([])
    expect((await user.get(`/api/projects/${world.projectId}`)).status).toBe(404)
  },
)

test('an answer may not be kept by caches', async () => {
  const answer = await owner.get('/api/workspaces')
  expect(answer.headers['cache-control']).toBe('private, no-store')
})

test('a configuration that cannot work names each variable, and no value', () => {
  const broken = {
    SUBSTRATE_API_URL: 'ftp://secret-host',
    RECONCILE_INTERVAL_MS: '1',
    WORKSPACE_MEMBERS_MAX: 'many',
  }
  expect(() => loadConfig(configSchema, broken)).toThrow(
    /SERVICE_SECRET: is required[^]*DATABASE_URL: is required[^]*SUBSTRATE_API_URL: must be an http[^]*WORKSPACE_MEMBERS_MAX[^]*RECONCILE_INTERVAL_MS/,
  )
  expect(() => loadConfig(configSchema, broken)).not.toThrow(/secret-host/)
})
