import { createHash, randomUUID } from 'node:crypto'
import { ConfigError, loadConfig } from '@waybill/service-kit'
import request from 'supertest'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../src/app.ts'
import { configSchema } from '../src/config.ts'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

const IN_CLEAR = 'canary-secret-that-both-sides-have-in-clear'
const SECOND = 'canary-secret-that-replaces-the-first-one'
const OF_GATEWAY = 'canary-secret-of-another-service-entirely'
const EXPIRING = 'canary-secret-that-ends-in-an-hour-or-so'
const sha256 = (secret: string) => createHash('sha256').update(secret).digest('hex')

const START = Date.now()
let now = START
let setting: Setting
const workspace = randomUUID()

beforeAll(async () => {
  setting = await startSetting(
    {
      SUBSTRATE_SERVICE_SECRET: IN_CLEAR,
      SERVICE_SECRETS: JSON.stringify({
        'work-platform': sha256(SECOND),
        gateway: [
          { sha256: sha256(OF_GATEWAY) },
          { sha256: sha256(EXPIRING), expires_at: new Date(START + 3_600_000) },
        ],
      }),
    },
    { now: () => now },
  )
})
afterAll(() => setting.close())

/** As the guide for older callers says it. */
const send = (method: string, path: string, body?: object, secret = IN_CLEAR, name = 'work-platform') =>
  setting.send(secret, method, path, body).set('X-Service-Name', name)
const create = (body: object, secret?: string, name?: string) =>
  send('POST', '/api/baskets', body, secret, name)

describe('a static service secret', () => {
  test("the guide's example works: 201, in the workspace that is named", async () => {
    const { status, body } = await create({
      workspace_id: workspace,
      name: 'Test Basket',
      user_id: randomUUID(),
    })
    expect({ status, workspace: body.workspace_id, by: body.created_by }).toEqual({
      status: 201,
      workspace,
      by: 'service:work-platform',
    })
  })

  test('does every operation of its workspace', async () => {
    const { body: basket } = await create({ workspace_id: workspace, name: 'All' })
    const at = `workspace_id=${workspace}`
    expect((await send('GET', `/api/baskets/${basket.id}?${at}`)).body).toEqual(basket)
    expect((await send('GET', `/api/baskets?ids=${basket.id}&${at}`)).body.items).toEqual([basket])
    const dump = { basket_id: basket.id, content: 'text', workspace_id: workspace }
    expect((await send('POST', '/api/dumps/new', dump)).status).toBe(201)
    expect((await send('GET', `/api/baskets/${basket.id}/dumps?${at}`)).body.items).toHaveLength(1)
    expect((await send('DELETE', `/api/baskets/${basket.id}?${at}`)).status).toBe(204)
  })

  test('reaches no other workspace than the one that is named', async () => {
    const { body: basket } = await create({ workspace_id: workspace, name: 'Here' })
    const elsewhere = `workspace_id=${randomUUID()}`
    expect((await send('GET', `/api/baskets/${basket.id}?${elsewhere}`)).status).toBe(404)
    expect((await send('DELETE', `/api/baskets/${basket.id}?${elsewhere}`)).status).toBe(404)
    expect((await send('GET', `/api/baskets?ids=${basket.id}&${elsewhere}`)).body.items).toEqual([])
  })

  test.each([
    ['POST', '/api/baskets', { name: 'x' }],
    ['POST', '/api/baskets', { name: 'x', workspace_id: '' }],
    ['POST', '/api/dumps/new', { basket_id: randomUUID(), content: 'x' }],
    ['GET', '/api/baskets', undefined],
    ['GET', `/api/baskets/${randomUUID()}`, undefined],
    ['DELETE', `/api/baskets/${randomUUID()}`, undefined],
    ['GET', `/api/baskets/${randomUUID()}/dumps`, undefined],
  ])('without a workspace is 403: %s %s %j', async (method, path, body) => {
    const answer = await send(method, path, body)
    expect({ status: answer.status, code: answer.body.code }).toEqual({
      status: 403,
      code: 'workspace_required',
    })
  })

  test.each([
    { workspace_id: 'not-a-uuid' },
    { workspace_id: `${workspace}'--` },
    { workspace_id: workspace, user_id: 'not-a-uuid' },
    { workspace_id: workspace, id: 'not-a-uuid' },
    { workspace_id: 7 },
  ])('with a bad UUID is 400: %j', async (claimed) => {
    expect((await create({ name: 'x', ...claimed })).status).toBe(400)
  })

  test('is audited as the service, with the user as claimed and no more', async () => {
    const user = randomUUID()
    await create({ workspace_id: workspace, name: 'Audited', user_id: user }).set('X-Request-ID', 'secret-1')
    const rows = await setting.admin(
      `select actor, on_behalf_of, via, details ->> 'claimed_user' as claimed from audit where request_id = 'secret-1'`,
    )
    expect(rows).toEqual([
      { actor: 'service:work-platform', on_behalf_of: null, via: 'service-secret', claimed: user },
    ])
  })

  test('two of one service are live at once', async () => {
    for (const secret of [IN_CLEAR, SECOND]) {
      expect((await create({ workspace_id: workspace, name: 'x' }, secret)).status).toBe(201)
    }
  })

  test.each([
    ['another name', IN_CLEAR, 'gateway'],
    ['a name that nobody has', IN_CLEAR, 'nobody'],
    ['an empty name', IN_CLEAR, ''],
    ['the secret of another service', OF_GATEWAY, 'work-platform'],
    ['a secret that is wrong by a letter', `${IN_CLEAR.slice(0, -1)}x`, 'work-platform'],
    ['the hash instead of the secret', sha256(SECOND), 'work-platform'],
  ])('with %s is 401', async (_, secret, name) => {
    const answer = await create({ workspace_id: workspace, name: 'x' }, secret, name)
    expect({ status: answer.status, code: answer.body.code }).toEqual({ status: 401, code: 'invalid_token' })
    expect(JSON.stringify(answer.body)).not.toContain('canary')
  })

  test('without a name is 401', async () => {
    const answer = await setting.send(IN_CLEAR, 'POST', '/api/baskets', {
      workspace_id: workspace,
      name: 'x',
    })
    expect(answer.status).toBe(401)
  })

  test('with two names is 401', async () => {
    const sent = create({ workspace_id: workspace, name: 'x' }).set('X_Service_Name', 'work-platform')
    expect((await sent).status).toBe(401)
  })

  test('of a service that may not is 403, until it expires: then 401', async () => {
    const body = { workspace_id: workspace, name: 'x' }
    expect((await create(body, OF_GATEWAY, 'gateway')).status).toBe(403)
    expect((await create(body, EXPIRING, 'gateway')).status).toBe(403)
    now = START + 3_600_001
    expect((await create(body, EXPIRING, 'gateway')).status).toBe(401)
    expect((await create(body, OF_GATEWAY, 'gateway')).status).toBe(403)
    now = START
  })

  test('beside a token of a user changes nothing for the user: the workspace is in the token', async () => {
    const token = await setting.onBehalfOf('alice', workspace)
    const answer = await setting.send(token, 'POST', '/api/baskets', {
      name: 'x',
      workspace_id: randomUUID(),
    })
    expect(answer.status).toBe(403)
  })

  test('is not accepted where none is configured', async () => {
    const other = await startSetting()
    const answer = await other
      .send(IN_CLEAR, 'POST', '/api/baskets', { workspace_id: workspace, name: 'x' })
      .set('X-Service-Name', 'work-platform')
    expect({ status: answer.status, code: answer.body.code }).toEqual({ status: 401, code: 'invalid_token' })
    await other.close()
  })
})

describe('JWT_EXEMPT_PATHS', () => {
  let exempt: Setting
  beforeAll(async () => {
    exempt = await startSetting({
      SUBSTRATE_SERVICE_SECRET: IN_CLEAR,
      JWT_EXEMPT_PATHS: '/api/dumps/new,/api/baskets',
    })
  })
  afterAll(() => exempt.close())
  const body = { workspace_id: workspace, name: 'Exempt' }
  const bySecret = (method: string, path: string, sent?: object) =>
    exempt.send(IN_CLEAR, method, path, sent).set('X-Service-Name', 'work-platform')

  test('lets the service in by its secret, and by a token of its own', async () => {
    expect((await bySecret('POST', '/api/baskets', body)).status).toBe(201)
    const own = { audience: 'substrate-api', workspaceId: workspace }
    const token = await exempt.issuer.serviceToken('work-platform', own)
    expect((await exempt.send(token, 'POST', '/api/baskets', body)).status).toBe(201)
  })

  test("refuses a user's token there, and accepts it where nothing is exempt", async () => {
    const token = await exempt.onBehalfOf('alice', workspace)
    expect((await exempt.send(token, 'POST', '/api/baskets', body)).status).toBe(403)
    const { body: basket } = await bySecret('POST', '/api/baskets', body)
    expect((await exempt.send(token, 'GET', `/api/baskets/${basket.id}`)).status).toBe(200)
  })

  test('is no exemption from authentication', async () => {
    expect((await exempt.send(undefined, 'POST', '/api/baskets', body)).status).toBe(401)
    expect(
      (
        await request(exempt.service.app)
          .post('/api/baskets')
          .send(body)
          .set('X-Service-Name', 'work-platform')
      ).status,
    ).toBe(401)
  })

  test('is compared as a whole: /api/baskets switches nothing beneath it', async () => {
    const { body: basket } = await bySecret('POST', '/api/baskets', body)
    const token = await exempt.onBehalfOf('alice', workspace)
    expect((await exempt.send(token, 'DELETE', `/api/baskets/${basket.id}`)).status).toBe(204)
    expect((await exempt.send(token, 'GET', '/api/baskets-admin')).status).toBe(404)
  })

  test.each([
    ['/api/basket', 'no route has the path /api/basket'],
    ['/api/baskets/', 'no route has the path /api/baskets/'],
    ['/livez', 'no route has the path /livez'],
    ['/api/*', 'no route has the path /api/*'],
  ])('%s stops the start', (path, message) => {
    expect(() => createApp(configOf({ JWT_EXEMPT_PATHS: path }))).toThrow(message)
  })
})

describe('the configuration', () => {
  test('a third secret of work-platform is refused by name', () => {
    const SERVICE_SECRETS = JSON.stringify({ 'work-platform': [sha256('a'), sha256('b')] })
    const made = () => createApp(configOf({ SUBSTRATE_SERVICE_SECRET: IN_CLEAR, SERVICE_SECRETS }))
    expect(made).toThrow(ConfigError)
    expect(made).toThrow('SUBSTRATE_SERVICE_SECRET')
  })

  test.each(['short', 'change-me-change-me-change-me-change-me'])(
    'in production %j is no secret',
    (secret) => {
      const environment = { NODE_ENV: 'production', SUBSTRATE_SERVICE_SECRET: secret }
      expect(() => configOf(environment)).toThrow('SUBSTRATE_SERVICE_SECRET')
    },
  )

  test('hashes that are none are refused without being quoted', () => {
    const given = JSON.stringify({ 'work-platform': 'canary-in-clear' })
    expect(() => configOf({ SERVICE_SECRETS: given })).toThrow('SERVICE_SECRETS')
    expect(() => configOf({ SERVICE_SECRETS: given })).not.toThrow('canary')
  })
})

function configOf(environment: NodeJS.ProcessEnv) {
  const needed = {
    SERVICE_SECRET: 'x'.repeat(16) + 'y'.repeat(16),
    DATABASE_URL: 'postgres://u:p@127.0.0.1/d',
  }
  return loadConfig(configSchema, { ...needed, ...environment })
}
