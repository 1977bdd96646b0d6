import { randomUUID } from 'node:crypto'
import { substrateApi } from '@waybill/contracts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { makeWorld, startSetting } from './setting.ts'
import type { Agent, Setting, World } from './setting.ts'

let setting: Setting
let world: World
let owner: Agent

beforeAll(async () => {
  setting = await startSetting({ BASKET_DETAILS_TIMEOUT_MS: '200' })
})
afterAll(() => setting.close())
beforeEach(async () => {
  setting.substrate.reset()
  setting.tokens.requests = []
  world = await makeWorld(setting)
  owner = setting.as(world.users.owner)
})

const create = (more: object = {}, headers: Record<string, string> = {}) =>
  owner.post('/api/projects', { workspace_id: world.workspaceId, name: 'Atlas', ...more }, headers)
const list = (query = '') => owner.get(`/api/projects?workspace_id=${world.workspaceId}${query}`)
const namesIn = (body: { items: { name: string }[] }) => body.items.map(({ name }) => name)

describe('a new project', () => {
  test('has its basket in substrate-api, and both say so', async () => {
    const { body, status } = await create({ name: ' Atlas ', description: 'Maps' })
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.any(String),
      workspace_id: world.workspaceId,
      name: 'Atlas',
      description: 'Maps',
      status: 'active',
      basket_id: expect.any(String),
      basket: setting.substrate.baskets.get(world.workspaceId)?.get(body.basket_id),
      created_by: world.users.owner,
      created_at: expect.stringMatching(/Z$/),
    })
    expect(body.basket).toMatchObject({
      id: body.basket_id,
      name: 'Atlas',
      metadata: { project_id: body.id },
    })
    expect((await owner.get(`/api/projects/${body.id}`)).body).toEqual(body)
  })

  test("asks on the user's behalf, for the checked workspace, with the identity of the hop", async () => {
    await create({}, { 'X-Request-ID': 'journey-1' })
    expect(setting.tokens.requests).toEqual([
      expect.objectContaining({
        actor: 'work-platform',
        audience: 'substrate-api',
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        workspace_id: world.workspaceId,
      }),
    ])
    expect(setting.substrate.calls).toHaveLength(1)
    const { claims, headers, body } = setting.substrate.calls[0]!
    expect(claims).toMatchObject({
      sub: world.users.owner,
      aud: 'substrate-api',
      workspace_id: world.workspaceId,
      act: { sub: 'work-platform' },
      scope: '',
    })
    expect(headers).toMatchObject({
      'x-user-id': world.users.owner,
      'x-tenant-id': '',
      'x-service-name': 'work-platform',
      'x-request-id': 'journey-1',
    })
    expect(headers.cookie).toBeUndefined()
    expect(substrateApi.createBasket.body?.safeParse(body).success).toBe(true)
  })

  test("never sends the user's own token on", async () => {
    const token = await setting.issuer.userToken(world.users.owner)
    await setting.send(token, 'POST', '/api/projects', { workspace_id: world.workspaceId, name: 'x' })
    expect(setting.substrate.calls[0]?.headers.authorization).not.toContain(token)
  })

  test('leaves an intent and a success in the audit, and says who acted', async () => {
    const { body } = await create({}, { 'X-Request-ID': 'audited' })
    const rows = await setting.admin(
      `select actor, action, resource, outcome from audit where request_id = 'audited' order by id`,
    )
    const row = {
      actor: `user:${world.users.owner}`,
      action: 'project.create',
      resource: `workspaces/${world.workspaceId}/projects/${body.id}`,
    }
    expect(rows).toEqual([
      { ...row, outcome: 'intent' },
      { ...row, outcome: 'success' },
    ])
  })

  test('is seen by nobody before its basket is there', async () => {
    let seen: unknown
    setting.substrate.before = async ({ endpoint }) => {
      if (endpoint === substrateApi.createBasket) seen = namesIn((await list()).body)
    }
    await create()
    expect(seen).toEqual(['Ours'])
    expect(namesIn((await list()).body)).toEqual(['Atlas', 'Ours'])
  })
})

describe('a list of projects', () => {
  test('asks substrate-api once, however many projects there are', async () => {
    for (const name of ['1', '2', '3']) await create({ name })
    setting.substrate.calls = []
    const { body } = await list()
    expect(namesIn(body)).toEqual(['3', '2', '1', 'Ours'])
    for (const item of body.items) expect(item.basket.metadata.project_id).toBe(item.id)
    expect(body.partial).toBe(false)
    expect(setting.substrate.calls.map(({ endpoint }) => endpoint)).toEqual([substrateApi.listBaskets])
  })

  test('asks nobody when it is empty', async () => {
    const made = await owner.post('/api/workspaces', { name: 'Empty' })
    const answer = await owner.get(`/api/projects?workspace_id=${made.body.id}`)
    expect(answer.body).toEqual({ items: [], next_cursor: null, partial: false })
    expect(setting.substrate.calls).toEqual([])
  })

  test('comes page by page, each project once', async () => {
    for (const name of ['1', '2', '3', '4']) await create({ name })
    const names: string[] = []
    let cursor = ''
    do {
      const { body } = await list(`&limit=2${cursor && `&cursor=${cursor}`}`)
      names.push(...namesIn(body))
      cursor = body.next_cursor ?? ''
    } while (cursor)
    expect(names).toEqual(['4', '3', '2', '1', 'Ours'])
  })

  test('a basket that is gone is null, and the list is whole all the same', async () => {
    setting.substrate.baskets.get(world.workspaceId)?.clear()
    const { body } = await list()
    expect(body).toMatchObject({ partial: false, items: [{ name: 'Ours', basket: null }] })
  })
})

describe('while substrate-api', () => {
  const troubles: [string, () => unknown, { status: number; code: string; retryAfter?: string }][] = [
    ['is down', () => setting.substrate.stop(), { status: 503, code: 'unavailable', retryAfter: '1' }],
    [
      'fails',
      () => setting.substrate.behave({ kind: 'refuse', status: 500 }),
      { status: 502, code: 'upstream_failed' },
    ],
    [
      'says that it is busy',
      () => setting.substrate.behave({ kind: 'refuse', status: 503 }),
      { status: 503, code: 'unavailable', retryAfter: '1' },
    ],
    [
      'refuses what this service asks',
      () => setting.substrate.behave({ kind: 'refuse', status: 403 }),
      { status: 502, code: 'upstream_failed' },
    ],
  ]

  test.each(troubles)('%s: a list comes without baskets and says so', async (_, trouble) => {
    await trouble()
    try {
      const { status, body } = await list()
      expect(status).toBe(200)
      expect(body).toMatchObject({ partial: true, items: [{ name: 'Ours', basket: null }] })
    } finally {
      await setting.substrate.stop()
      await setting.substrate.resume()
    }
  })

  test.each(troubles)('%s: a single project is not answered by half', async (_, trouble, expected) => {
    await trouble()
    try {
      const answer = await owner.get(`/api/projects/${world.projectId}`)
      const { status, body, headers } = answer
      expect({ status, code: body.code, retryAfter: headers['retry-after'] }).toEqual({
        retryAfter: undefined,
        ...expected,
      })
    } finally {
      await setting.substrate.stop()
      await setting.substrate.resume()
    }
  })

  test.each(troubles)('%s: a project is not deleted by half', async (_, trouble, expected) => {
    await trouble()
    try {
      expect((await owner.delete(`/api/projects/${world.projectId}`)).status).toBe(expected.status)
    } finally {
      await setting.substrate.stop()
      await setting.substrate.resume()
    }
    setting.substrate.reset()
    expect((await owner.get(`/api/projects/${world.projectId}`)).status).toBe(200)
    expect((await owner.delete(`/api/projects/${world.projectId}`)).status).toBe(204)
  })

  test('does not answer: the list does not wait for long', async () => {
    setting.substrate.behave({ kind: 'hang' })
    expect((await list()).body).toMatchObject({ partial: true, items: [{ basket: null }] })
  })
})

describe('the deletion of a project', () => {
  test('takes its basket along', async () => {
    expect((await owner.delete(`/api/projects/${world.projectId}`)).status).toBe(204)
    expect(setting.substrate.baskets.get(world.workspaceId)?.size).toBe(0)
    expect((await owner.get(`/api/projects/${world.projectId}`)).status).toBe(404)
    expect((await owner.delete(`/api/projects/${world.projectId}`)).status).toBe(404)
  })

  test('that lost the word of its basket is finished by asking again', async () => {
    setting.substrate.behave({ kind: 'lose' }, substrateApi.deleteBasket)
    expect((await owner.delete(`/api/projects/${world.projectId}`)).status).toBe(503)
    setting.substrate.reset()
    expect((await owner.get(`/api/projects/${world.projectId}`)).body.basket).toBeNull()
    expect((await owner.delete(`/api/projects/${world.projectId}`)).status).toBe(204)
  })

  test('leaves the basket alone when the caller may not delete', async () => {
    expect((await setting.as(world.users.viewer).delete(`/api/projects/${world.projectId}`)).status).toBe(403)
    expect((await setting.as(world.users.outsider).delete(`/api/projects/${world.projectId}`)).status).toBe(
      404,
    )
    expect(setting.substrate.calls).toEqual([])
  })
})

describe('an Idempotency-Key', () => {
  const withKey = (key: string, more: object = {}, by = owner) =>
    by.post(
      '/api/projects',
      { workspace_id: world.workspaceId, name: 'Atlas', ...more },
      { 'Idempotency-Key': key },
    )

  test('gives the same request the same answer, and makes one project', async () => {
    const key = randomUUID()
    const first = await withKey(key)
    const second = await withKey(key, { description: '' })
    expect([first.status, second.status]).toEqual([201, 201])
    expect(second.body).toEqual(first.body)
    expect(second.headers['idempotent-replayed']).toBe('true')
    expect(first.headers['idempotent-replayed']).toBeUndefined()
    expect(namesIn((await list()).body)).toEqual(['Atlas', 'Ours'])
    expect(setting.substrate.baskets.get(world.workspaceId)?.size).toBe(2)
  })

  test('with another request is refused, 422', async () => {
    const key = randomUUID()
    await withKey(key)
    const answer = await withKey(key, { name: 'Another' })
    expect(answer.status).toBe(422)
    expect(namesIn((await list()).body)).toEqual(['Atlas', 'Ours'])
  })

  test('sent at the same moment makes one project: the others are told to wait or get its answer', async () => {
    const key = randomUUID()
    const answers = await Promise.all(Array.from({ length: 5 }, () => withKey(key)))
    const made = answers.filter(({ status }) => status === 201)
    expect(made.length).toBeGreaterThanOrEqual(1)
    expect(new Set(made.map(({ body }) => body.id as string)).size).toBe(1)
    for (const { status, headers } of answers.filter((answer) => answer.status !== 201)) {
      expect({ status, retryAfter: headers['retry-after'] }).toEqual({ status: 409, retryAfter: '1' })
    }
    expect(namesIn((await list()).body)).toEqual(['Atlas', 'Ours'])
  })

  test("is the user's own: another user's request under the same key is another request", async () => {
    const key = randomUUID()
    const mine = await withKey(key)
    const theirs = await withKey(key, {}, setting.as(world.users.admin))
    expect(theirs.status).toBe(201)
    expect(theirs.body.id).not.toBe(mine.body.id)
  })

  test('gives nothing to who is no member any more', async () => {
    const key = randomUUID()
    await withKey(key, {}, setting.as(world.users.member))
    await owner.delete(`/api/workspaces/${world.workspaceId}/members/${world.users.member}`)
    expect((await withKey(key, {}, setting.as(world.users.member))).status).toBe(404)
  })

  test('works without naming a workspace, and means the personal one', async () => {
    const me = setting.as(`person-${randomUUID()}`)
    const key = { 'Idempotency-Key': randomUUID() }
    const first = await me.post('/api/projects', { name: 'Mine' }, key)
    const second = await me.post('/api/projects', { name: 'Mine' }, key)
    const named = await me.post('/api/projects', { name: 'Mine', workspace_id: first.body.workspace_id }, key)
    expect(second.body).toEqual(first.body)
    expect(named.body).toEqual(first.body)
  })

  test.each(['a b', 'ü'.repeat(3), 'k'.repeat(256)])(
    'that is not well formed is refused: %s',
    async (key) => {
      const answer = await withKey(Buffer.from(key).toString('latin1'))
      expect(answer.status).toBe(400)
      expect(namesIn((await list()).body)).toEqual(['Ours'])
    },
  )
})
