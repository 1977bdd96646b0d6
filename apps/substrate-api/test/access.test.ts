import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())

const OURS = 'workspace-ours'
const THEIRS = 'workspace-theirs'

/** One request to each route, about a basket that `OURS` has. A route without a row here fails the last test. */
const REQUESTS: Record<string, { path: (basketId: string) => string; body?: (basketId: string) => object }> =
  {
    'POST /api/baskets': { path: () => '/api/baskets', body: () => ({ name: 'New' }) },
    'GET /api/baskets': { path: (id) => `/api/baskets?ids=${id}` },
    'GET /api/baskets/:id': { path: (id) => `/api/baskets/${id}` },
    'DELETE /api/baskets/:id': { path: (id) => `/api/baskets/${id}` },
    'POST /api/dumps/new': {
      path: () => '/api/dumps/new',
      body: (id) => ({ basket_id: id, content: 'text' }),
    },
    'GET /api/baskets/:id/dumps': { path: (id) => `/api/baskets/${id}/dumps` },
  }

interface Expected {
  status: number
  code?: string
}
const everywhere = (status: number, code: string) => () => ({ status, code })

/** What a caller may: the status by route, the same data for callers who may everything. */
const SUCCESS: Record<string, Expected> = {
  'POST /api/baskets': { status: 201 },
  'GET /api/baskets': { status: 200 },
  'GET /api/baskets/:id': { status: 200 },
  'DELETE /api/baskets/:id': { status: 204 },
  'POST /api/dumps/new': { status: 201 },
  'GET /api/baskets/:id/dumps': { status: 200 },
}
const FOREIGN: Record<string, Expected> = {
  'POST /api/baskets': { status: 201 },
  'GET /api/baskets': { status: 200 },
  'GET /api/baskets/:id': { status: 404, code: 'not_found' },
  'DELETE /api/baskets/:id': { status: 404, code: 'not_found' },
  'POST /api/dumps/new': { status: 404, code: 'not_found' },
  'GET /api/baskets/:id/dumps': { status: 404, code: 'not_found' },
}

const own = { audience: 'substrate-api' }
const CALLERS: Record<
  string,
  { token: () => Promise<string | undefined>; expected: (route: string) => Expected }
> = {
  nobody: { token: () => Promise.resolve(undefined), expected: everywhere(401, 'unauthenticated') },
  'a token that has expired': {
    token: () => setting.onBehalfOf('alice', OURS, { issuedAt: Math.floor(Date.now() / 1000) - 3600 }),
    expected: everywhere(401, 'invalid_token'),
  },
  "a person's own login token": {
    token: () => setting.issuer.userToken('alice', { workspaceId: OURS }),
    expected: everywhere(401, 'invalid_token'),
  },
  'a token for another service': {
    token: () => setting.onBehalfOf('alice', OURS, { audience: 'data_store' }),
    expected: everywhere(401, 'invalid_token'),
  },
  'a person with nothing in between': {
    token: () => setting.issuer.userToken('alice', { ...own, workspaceId: OURS }),
    expected: everywhere(403, 'forbidden'),
  },
  'an administrator with nothing in between': {
    token: () => setting.issuer.userToken('root', { ...own, workspaceId: OURS, role: 'admin', scope: '*' }),
    expected: everywhere(403, 'forbidden'),
  },
  'another service, although work-platform was in the chain before it': {
    token: () => setting.onBehalfOf('alice', OURS, { actors: ['llm-proxy', 'work-platform'] }),
    expected: everywhere(403, 'forbidden'),
  },
  'another service in its own name': {
    token: () => setting.issuer.serviceToken('gateway', { ...own, workspaceId: OURS }),
    expected: everywhere(403, 'forbidden'),
  },
  'work-platform in its own name without a workspace': {
    token: () => setting.issuer.serviceToken('work-platform', own),
    expected: everywhere(403, 'workspace_required'),
  },
  'work-platform for a user without a workspace': {
    token: () => setting.onBehalfOf('alice'),
    expected: everywhere(403, 'workspace_required'),
  },
  'work-platform for a user in another workspace': {
    token: () => setting.onBehalfOf('mallory', THEIRS),
    expected: (route) => FOREIGN[route]!,
  },
  'work-platform for a user in the workspace': {
    token: () => setting.onBehalfOf('alice', OURS),
    expected: (route) => SUCCESS[route]!,
  },
  'work-platform in its own name in the workspace': {
    token: () => setting.issuer.serviceToken('work-platform', { ...own, workspaceId: OURS }),
    expected: (route) => SUCCESS[route]!,
  },
}

async function basketOfOurs(): Promise<string> {
  const answer = await setting.send(await setting.onBehalfOf('alice', OURS), 'POST', '/api/baskets', {
    name: 'Ours',
  })
  return String(answer.body.id)
}

describe.each(Object.entries(CALLERS))('%s', (_, { token, expected }) => {
  test.each(Object.keys(REQUESTS))('%s', async (name) => {
    const { path, body } = REQUESTS[name]!
    const id = await basketOfOurs()
    const answer = await setting.send(await token(), name.split(' ')[0]!, path(id), body?.(id))
    const { status, code } = expected(name)
    expect({ status: answer.status, code: answer.body.code }).toEqual({ status, code })
    if (
      name === 'GET /api/baskets' &&
      expected === CALLERS['work-platform for a user in another workspace']?.expected
    ) {
      expect(answer.body.items).toEqual([])
    }
  })
})

test('every route has its row in the matrix', () => {
  expect(setting.service.routes.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(
    Object.keys(REQUESTS).sort(),
  )
})

test("what the other workspace's caller was refused is still there afterwards", async () => {
  const id = await basketOfOurs()
  const intruder = await setting.onBehalfOf('mallory', THEIRS)
  await setting.send(intruder, 'DELETE', `/api/baskets/${id}`).expect(404)
  const answer = await setting.send(await setting.onBehalfOf('alice', OURS), 'GET', `/api/baskets/${id}`)
  expect(answer.body.name).toBe('Ours')
})

test.each([
  ['X-Workspace-ID', THEIRS],
  ['X_Workspace_ID', THEIRS],
])('the header %s changes nothing: the workspace is in the token', async (header, value) => {
  const token = await setting.onBehalfOf('alice', OURS)
  const answer = await setting.send(token, 'POST', '/api/baskets', { name: 'Mine' }).set(header, value)
  expect(answer.body.workspace_id).toBe(OURS)
})

test.each([
  ['X-User-ID', 'mallory'],
  ['X-Service-Name', 'gateway'],
  ['X-Tenant-ID', 'other-tenant'],
])('an identity header that contradicts the token is refused: %s', async (header, value) => {
  const token = await setting.onBehalfOf('alice', OURS)
  const answer = await setting.send(token, 'GET', '/api/baskets').set(header, value)
  expect(answer.status).toBe(401)
  expect(answer.body.code).toBe('identity_header_mismatch')
})

test.each([
  { workspace_id: THEIRS },
  { user_id: 'mallory' },
  { workspace_id: OURS, user_id: 'mallory' },
  { workspace_id: '', user_id: 'alice' },
])('a body may not claim another identity than the token: %j', async (claimed) => {
  const token = await setting.onBehalfOf('alice', OURS)
  const basket = await setting.send(token, 'POST', '/api/baskets', { name: 'Claimed', ...claimed })
  expect(basket.status).toBe(403)
  const dump = { basket_id: await basketOfOurs(), content: 'text', ...claimed }
  expect((await setting.send(token, 'POST', '/api/dumps/new', dump)).status).toBe(403)
  expect(await setting.admin(`select 1 from baskets where name = 'Claimed'`)).toEqual([])
})

test('a body that says the same as the token is accepted, as older callers send it', async () => {
  const token = await setting.onBehalfOf('alice', OURS)
  const claimed = { workspace_id: OURS, user_id: 'alice' }
  await setting.send(token, 'POST', '/api/baskets', { name: 'Older', ...claimed }).expect(201)
})

test('a service in its own name cannot claim a user', async () => {
  const token = await setting.issuer.serviceToken('work-platform', { ...own, workspaceId: OURS })
  await setting.send(token, 'POST', '/api/baskets', { name: 'x', user_id: 'alice' }).expect(403)
})

test('a workspace id is a value to the database, whatever is in it', async () => {
  const id = await basketOfOurs()
  const token = await setting.onBehalfOf('mallory', `x' or '1'='1`)
  await setting.send(token, 'GET', `/api/baskets/${id}`).expect(404)
  const created = await setting.send(token, 'POST', '/api/baskets', { name: 'x', id: randomUUID() })
  expect(created.body.workspace_id).toBe(`x' or '1'='1`)
})
