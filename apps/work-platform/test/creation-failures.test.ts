import { randomUUID } from 'node:crypto'
import { substrateApi } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import request from 'supertest'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createApp } from '../src/app.ts'
import type { BasketsClient } from '../src/clients.ts'
import { createReconciler } from '../src/reconciler.ts'
import { log, makeWorld, startSetting } from './setting.ts'
import type { Agent, Setting, World } from './setting.ts'

let setting: Setting
let world: World
let owner: Agent

beforeAll(async () => {
  // The rounds of the service's own reconciler are not awaited: the tests run rounds themselves.
  setting = await startSetting({ CLIENT_TIMEOUT_MS: '400', RECONCILE_INTERVAL_MS: '86400000' })
})
afterAll(() => setting.close())
beforeEach(async () => {
  setting.substrate.reset()
  setting.tokens.refusal = undefined
  setting.tokens.letsServicesNameWorkspaces = true
  await setting.admin('delete from abandoned_baskets')
  world = await makeWorld(setting)
  owner = setting.as(world.users.owner)
})

const create = (headers: Record<string, string> = {}) =>
  owner.post('/api/projects', { workspace_id: world.workspaceId, name: 'Atlas' }, headers)
const rows = () =>
  setting.admin('select id, status from projects where workspace_id = $1', [world.workspaceId])
const onlyOurs = () => [{ id: world.projectId, status: 'active' }]
const abandoned = () => setting.admin('select workspace_id, basket_id::text from abandoned_baskets')
const basketsThere = () => setting.substrate.baskets.get(world.workspaceId)?.size

describe('a creation that fails leaves no project', () => {
  const troubles: [string, () => unknown, { status: number; code: string; retryAfter?: string }][] = [
    [
      'substrate-api is down',
      () => setting.substrate.stop(),
      { status: 503, code: 'unavailable', retryAfter: '1' },
    ],
    [
      'substrate-api is busy',
      () => setting.substrate.behave({ kind: 'refuse', status: 503 }),
      { status: 503, code: 'unavailable', retryAfter: '1' },
    ],
    [
      'substrate-api fails',
      () => setting.substrate.behave({ kind: 'refuse', status: 500 }),
      { status: 502, code: 'upstream_failed' },
    ],
    [
      'substrate-api refuses the call',
      () => setting.substrate.behave({ kind: 'refuse', status: 400 }),
      { status: 502, code: 'upstream_failed' },
    ],
    [
      'substrate-api does not answer',
      () => setting.substrate.behave({ kind: 'hang' }),
      { status: 504, code: 'timeout' },
    ],
    [
      'auth-service is down',
      () => setting.tokens.stop(),
      { status: 503, code: 'unavailable', retryAfter: '1' },
    ],
    [
      'auth-service gives no token for substrate-api',
      () => (setting.tokens.refusal = { status: 400, error: 'invalid_target' }),
      { status: 502, code: 'upstream_failed' },
    ],
    [
      "auth-service finds the user's token revoked",
      () => (setting.tokens.refusal = { status: 400, error: 'invalid_grant' }),
      { status: 401, code: 'invalid_token' },
    ],
  ]

  test.each(troubles)('%s', async (_, trouble, expected) => {
    await trouble()
    try {
      const { status, body, headers } = await create({ 'X-Request-ID': `fails-${world.workspaceId}` })
      expect({ status, code: body.code, retryAfter: headers['retry-after'] }).toEqual({
        retryAfter: undefined,
        ...expected,
      })
      expect(body.request_id).toBe(`fails-${world.workspaceId}`)
      expect(await rows()).toEqual(onlyOurs())
      expect(basketsThere()).toBe(1)
      const audited = await setting.admin(
        'select outcome, details from audit where request_id = $1 order by id',
        [`fails-${world.workspaceId}`],
      )
      expect(audited).toEqual([
        { outcome: 'intent', details: {} },
        { outcome: 'failure', details: { code: expected.code } },
      ])
    } finally {
      await setting.substrate.stop()
      await setting.substrate.resume()
      await setting.tokens.stop()
      await setting.tokens.resume()
    }
  })

  test('and frees the Idempotency-Key: the same request made again succeeds', async () => {
    const key = { 'Idempotency-Key': randomUUID() }
    setting.substrate.behave({ kind: 'refuse', status: 500 })
    expect((await create(key)).status).toBe(502)
    setting.substrate.reset()
    expect((await create(key)).status).toBe(201)
  })
})

describe('a basket whose making was not confirmed', () => {
  test('is removed again on the way back', async () => {
    setting.substrate.behave({ kind: 'lose' }, substrateApi.createBasket)
    const answer = await create()
    expect(answer.status).toBe(503)
    expect(await rows()).toEqual(onlyOurs())
    expect(basketsThere()).toBe(1)
    expect(await abandoned()).toEqual([])
  })

  test('is asked for under one id, however often the hop is tried', async () => {
    setting.substrate.behave({ kind: 'lose' }, substrateApi.createBasket)
    await create()
    const ids = setting.substrate.calls
      .filter(({ endpoint }) => endpoint === substrateApi.createBasket)
      .map(({ body }) => (body as { id: string }).id)
    expect(ids.length).toBeGreaterThan(1)
    expect(new Set(ids).size).toBe(1)
  })

  test('is remembered when it cannot be removed now', async () => {
    setting.substrate.behave({ kind: 'lose' }, substrateApi.createBasket)
    setting.substrate.behave({ kind: 'refuse', status: 500 }, substrateApi.deleteBasket)
    expect((await create()).status).toBe(503)
    expect(await rows()).toEqual(onlyOurs())
    const [made] = [...(setting.substrate.baskets.get(world.workspaceId)?.keys() ?? [])].slice(-1)
    expect(await abandoned()).toEqual([{ workspace_id: world.workspaceId, basket_id: made }])
  })

  test('and was not there may still be on its way, so it is remembered too', async () => {
    setting.substrate.behave({ kind: 'refuse', status: 500 }, substrateApi.createBasket)
    expect((await create()).status).toBe(502)
    expect(await abandoned()).toHaveLength(1)
  })
})

describe('when the database goes away between the basket and the last step', () => {
  test('the client gets no project, and what is left is removed by the reconciler', async () => {
    const revoke = 'revoke update (status) on projects from work_platform_user'
    const grant = 'grant update (status) on projects to work_platform_user'
    const noDelete = 'revoke delete on projects from work_platform_user'
    const mayDelete = 'grant delete on projects to work_platform_user'
    await setting.admin(`${revoke}; ${noDelete}`)
    try {
      expect((await create()).status).toBe(500)
    } finally {
      await setting.admin(`${grant}; ${mayDelete}`)
    }
    // Nobody sees it, and it is known.
    expect((await owner.get(`/api/projects?workspace_id=${world.workspaceId}`)).body.items).toHaveLength(1)
    expect(await rows()).toContainEqual({ id: expect.any(String), status: 'creating' })
    await letTimePass()
    await reconcile()
    expect(await rows()).toEqual(onlyOurs())
    await letTimePass()
    await reconcile()
    expect(basketsThere()).toBe(1)
    expect(await abandoned()).toEqual([])
  })
})

test('a client that goes away does not leave half a project', async () => {
  const { url } = await setting.service.listen({ port: 0, host: '127.0.0.1' })
  const token = await setting.issuer.userToken(world.users.owner)
  const asked = Promise.withResolvers<undefined>()
  const undone = Promise.withResolvers<undefined>()
  setting.substrate.before = ({ endpoint }) => {
    if (endpoint === substrateApi.createBasket) asked.resolve(undefined)
    if (endpoint === substrateApi.deleteBasket) undone.resolve(undefined)
    return Promise.resolve()
  }
  setting.substrate.behave({ kind: 'hang' }, substrateApi.createBasket)
  const sent = request(url)
    .post('/api/projects')
    .set('Authorization', `Bearer ${token}`)
    .send({ workspace_id: world.workspaceId, name: 'Atlas' })
  const gone = sent.then(
    () => 'answered',
    () => 'gone',
  )
  await asked.promise
  sent.abort()
  expect(await gone).toBe('gone')
  await undone.promise
  expect(await rows()).toEqual(onlyOurs())
})

const MINUTES = 60_000
const reconciler = (baskets: Partial<BasketsClient> = {}, intervalMs = 86_400_000) =>
  createReconciler({
    database: setting.database,
    baskets: { ...ownName(), ...baskets },
    log,
    intervalMs,
    interruptedAfterMs: MINUTES,
    keysKeptMs: 60 * MINUTES,
  })
const reconcile = (baskets?: Partial<BasketsClient>) => reconciler(baskets).run()

/** substrate-api as the reconciler reaches it, without the hop. */
function ownName(): BasketsClient {
  const notCalled = () => Promise.reject(new Error('the reconciler only removes'))
  return {
    create: notCalled,
    find: notCalled,
    findAll: notCalled,
    remove: ({ workspaceId, id }) =>
      Promise.resolve(setting.substrate.baskets.get(workspaceId)?.delete(id) ?? false),
  }
}

/** As if everything had happened two minutes earlier. */
async function letTimePass(): Promise<void> {
  await setting.admin(`
    update projects set created_at = created_at - interval '2 minutes' where status = 'creating';
    update abandoned_baskets set created_at = created_at - interval '2 minutes'`)
}

describe('the reconciler', () => {
  async function crashedCreation(key = randomUUID()) {
    const [id, basketId] = [randomUUID(), randomUUID()]
    await setting.admin(
      `insert into projects (id, workspace_id, name, basket_id, created_by)
       values ($1, $2, 'Crashed', $3, 'somebody')`,
      [id, world.workspaceId, basketId],
    )
    await setting.admin(
      `insert into idempotency_keys (user_id, key, fingerprint, project_id) values ($1, $2, 'f', $3)`,
      [world.users.owner, key, id],
    )
    return { id, basketId, key }
  }

  test('leaves a creation alone that may still be under way', async () => {
    const { id } = await crashedCreation()
    await reconcile()
    expect(await rows()).toContainEqual({ id, status: 'creating' })
    await setting.admin('delete from projects where id = $1', [id])
  })

  test('removes a creation that was interrupted, with its key, and notes its basket', async () => {
    const { id, basketId, key } = await crashedCreation()
    await letTimePass()
    await reconcile()
    expect(await rows()).toEqual(onlyOurs())
    expect(await setting.admin('select 1 from idempotency_keys where key = $1', [key])).toEqual([])
    expect(await abandoned()).toEqual([{ workspace_id: world.workspaceId, basket_id: basketId }])
    const audited = await setting.admin(
      'select actor, action, outcome, details from audit where resource = $1',
      [`workspaces/${world.workspaceId}/projects/${id}`],
    )
    expect(audited).toEqual([
      {
        actor: 'service:work-platform',
        action: 'project.create',
        outcome: 'failure',
        details: { code: 'interrupted' },
      },
    ])
  })

  test('never touches an active project, however old', async () => {
    await setting.admin(`update projects set created_at = '2020-01-01' where id = $1`, [world.projectId])
    await reconcile()
    expect(await rows()).toEqual(onlyOurs())
  })

  test('forgets an abandoned basket only once its removal is confirmed', async () => {
    await crashedCreation()
    await letTimePass()
    await reconcile()
    await letTimePass()
    await reconcile({ remove: () => Promise.reject(new Error('not this one')) })
    expect(await abandoned()).toHaveLength(1)
    await reconcile()
    expect(await abandoned()).toEqual([])
  })

  test('removes what it can although others, even a whole batch of older ones, cannot be removed', async () => {
    const stuck = randomUUID()
    await setting.admin(
      `insert into abandoned_baskets
       select $1, gen_random_uuid(), now() - interval '2 hours' from generate_series(1, 100)`,
      [stuck],
    )
    await setting.admin(`insert into abandoned_baskets values ($1, $2, now() - interval '1 hour')`, [
      world.workspaceId,
      randomUUID(),
    ])
    const remove: BasketsClient['remove'] = ({ workspaceId }) =>
      workspaceId === stuck
        ? Promise.reject(new Problem('upstream_failed', 'refused'))
        : Promise.resolve(true)
    await reconcile({ remove })
    const left = await abandoned()
    expect(left).toHaveLength(100)
    expect(left.every(({ workspace_id }) => workspace_id === stuck)).toBe(true)
  })

  test.each(['unavailable', 'timeout'] as const)('asks nothing more in a round that met %s', async (code) => {
    await setting.admin(
      `insert into abandoned_baskets
       select $1, gen_random_uuid(), now() - interval '1 hour' from generate_series(1, 3)`,
      [world.workspaceId],
    )
    let calls = 0
    const remove = () => {
      calls += 1
      return Promise.reject(new Problem(code, 'not now'))
    }
    await expect(reconcile({ remove })).rejects.toThrow('not now')
    expect(calls).toBe(1)
  })

  test('forgets keys that are older than they are kept', async () => {
    const { id, key } = await crashedCreation()
    await setting.admin(
      `update idempotency_keys set created_at = now() - interval '2 hours' where key = $1`,
      [key],
    )
    await reconcile()
    expect(await setting.admin('select 1 from idempotency_keys where key = $1', [key])).toEqual([])
    await setting.admin('delete from projects where id = $1', [id])
  })

  test('two at the same moment, of two processes, do no harm', async () => {
    await crashedCreation()
    await crashedCreation()
    await letTimePass()
    await Promise.all([reconcile(), reconcile()])
    expect(await rows()).toEqual(onlyOurs())
    expect(await abandoned()).toHaveLength(2)
  })

  test('goes on after a round that failed, until it is closed', async () => {
    await setting.admin(`insert into abandoned_baskets values ($1, $2, now() - interval '1 hour')`, [
      world.workspaceId,
      randomUUID(),
    ])
    let calls = 0
    const twice = Promise.withResolvers<undefined>()
    const running = reconciler(
      {
        remove: () => {
          calls += 1
          if (calls === 2) twice.resolve(undefined)
          return Promise.reject(new Error('not now'))
        },
      },
      100,
    )
    running.start()
    await twice.promise
    await running.close()
    expect(await abandoned()).toHaveLength(1)
  })
})

describe('a service that starts', () => {
  test('clears away what the last one left, asking substrate-api in its own name', async () => {
    const basketId = randomUUID()
    setting.substrate.baskets.get(world.workspaceId)?.set(basketId, {
      id: basketId,
      workspace_id: world.workspaceId,
      name: 'Left behind',
      status: 'active',
      metadata: {},
      created_by: 'user:somebody',
      created_at: '2026-01-01T00:00:00.000Z',
    })
    await setting.admin(`insert into abandoned_baskets values ($1, $2, now() - interval '1 hour')`, [
      world.workspaceId,
      basketId,
    ])
    const another = createApp(setting.config, { issuer: setting.issuer.issuer })
    await another.start()
    // Closing waits for the round under way.
    await another.close()
    expect(await abandoned()).toEqual([])
    expect(setting.substrate.baskets.get(world.workspaceId)?.has(basketId)).toBe(false)
    expect(setting.substrate.calls.at(-1)?.claims).toMatchObject({
      principal: 'service',
      sub: 'work-platform',
      workspace_id: world.workspaceId,
    })
  })

  test('is ready although its neighbours are down or give it no token', async () => {
    await setting.admin(`insert into abandoned_baskets values ($1, $2, now() - interval '1 hour')`, [
      world.workspaceId,
      randomUUID(),
    ])
    setting.tokens.letsServicesNameWorkspaces = false
    const another = createApp(setting.config, { issuer: setting.issuer.issuer })
    await another.start()
    expect((await request(another.app).get('/readyz')).status).toBe(200)
    await another.close()
    expect(await abandoned()).toHaveLength(1)
  })
})
