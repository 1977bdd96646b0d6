import pg from 'pg'
import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
let client: pg.Client
const YESTERDAY = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10)

beforeAll(async () => {
  setting = await startSetting()
  client = new pg.Client({ connectionString: setting.postgres.adminUrl })
  await client.connect()
  for (const [user, tokens] of [
    ['alice', 100],
    ['bob', 7],
  ] as const) {
    await client.query(
      `insert into usage (id, at, day, user_id, provider, model, key_id, operation, stream, result, input_tokens, output_tokens,
         cached_tokens, estimated, cost_micros, currency, counted_by)
       values (gen_random_uuid(), now(), $2::date, $1, 'openai', 'gpt-test', 'key-1', 'chat', false, 'answered', $3, 1, 0, false,
         1500000, 'USD', gen_random_uuid())`,
      [user, YESTERDAY, tokens],
    )
  }
})
afterAll(async () => {
  await client.end()
  await setting.close()
})

type Verb = 'get' | 'put' | 'delete'
const tokenWith = (token: string, verb: Verb, path: string, body?: object) =>
  supertest(setting.service.app)[verb](path).set('Authorization', `Bearer ${token}`).send(body)
const ask = async (verb: Verb, path: string, body?: object, as = 'alice', scope?: string) =>
  tokenWith(await setting.tokenOf(as, scope), verb, path, body)
const admin = (verb: Verb, path: string, body?: object) => ask(verb, path, body, 'root', '*')

describe('GET /usage', () => {
  test("sums up the caller's own calls of the last thirty days, by day unless said", async () => {
    const { status, body } = await ask('get', '/usage')
    expect(status).toBe(200)
    expect(body).toMatchObject({ by: ['day'], items: [{ day: YESTERDAY, requests: 1, input_tokens: 100 }] })
    expect(body.total.cost).toEqual([{ amount: '1.50', currency: 'USD' }])
  })

  test('by more than one, with the keys by their ids', async () => {
    const { body } = await ask('get', `/usage?from=${YESTERDAY}&by=day,model,key,provider,api_key`)
    expect(body.items).toMatchObject([
      { day: YESTERDAY, model: 'gpt-test', key_id: 'key-1', provider: 'openai', api_key_id: null },
    ])
  })

  test.each([
    ['by=hour', 'by'],
    ['by=day,day', 'by'],
    ['by=', 'by'],
    ['from=2026-13-01', 'from'],
    ['from=yesterday', 'from'],
    ['user_id=bob', 'user_id'],
  ])('?%s is 400 and named', async (query, named) => {
    const { status, body } = await ask('get', `/usage?${query}`)
    expect(status).toBe(400)
    expect(JSON.stringify(body)).toContain(named)
  })

  test('a range that is too long is 400', async () => {
    const { status, body } = await ask('get', '/usage?from=2020-01-01&to=2026-01-01')
    expect([status, body.code]).toEqual([400, 'bad_request'])
  })

  test('is for who may read statistics', async () => {
    const { status, body } = await ask('get', '/usage', undefined, 'alice', 'agents.query')
    expect([status, body.permission]).toEqual([403, 'stats.read'])
  })
})

describe('budgets', () => {
  test('are set, replaced, told with what is used of them, and removed', async () => {
    const set = await ask('put', '/usage/budgets/month', {
      tokens: 5_000,
      money: { amount: '12.5', currency: 'USD' },
    })
    expect(set.status).toBe(200)
    expect(set.body).toMatchObject({
      period: 'month',
      set_by: 'user',
      tokens: 5_000,
      money: { amount: '12.50', currency: 'USD' },
    })
    await ask('put', '/usage/budgets/month', { tokens: 6_000 })
    const { body } = await ask('get', '/usage/budgets')
    expect(body.items).toMatchObject([{ period: 'month', tokens: 6_000, money: null, used_money: null }])
    expect((await ask('delete', '/usage/budgets/month')).status).toBe(204)
    expect((await ask('delete', '/usage/budgets/month')).status).toBe(404)
    expect((await ask('get', '/usage/budgets')).body.items).toEqual([])
  })

  test.each([
    ['week', { tokens: 1 }, 'period'],
    ['day', {}, 'tokens or money'],
    ['day', { tokens: -1 }, 'tokens'],
    ['day', { tokens: 1.5 }, 'tokens'],
    ['day', { money: { amount: 5, currency: 'USD' } }, 'amount'],
    ['day', { money: { amount: '0.0000001', currency: 'USD' } }, 'amount'],
    ['day', { money: { amount: '5', currency: 'dollars' } }, 'currency'],
    ['day', { tokens: 1, set_by: 'admin' }, 'set_by'],
    ['day', { tokens: 1e30 }, '"errors":[{"in":"body","path":"tokens","message":"must be a whole number"}]'],
  ])('PUT /usage/budgets/%s with %o is 400 and named', async (period, body, named) => {
    const answer = await ask('put', `/usage/budgets/${period}`, body)
    expect(answer.status).toBe(400)
    expect(JSON.stringify(answer.body)).toContain(named)
  })

  test('of a user are capped by an administrator, whom the user cannot overrule', async () => {
    const set = await admin('put', '/usage/users/bob/budgets/day', { tokens: 50 })
    expect([set.status, set.body.set_by]).toEqual([200, 'admin'])
    const own = await ask('put', '/usage/budgets/day', { tokens: 1_000_000 }, 'bob')
    expect(own.status).toBe(200)
    expect((await ask('delete', '/usage/budgets/day', undefined, 'bob')).status).toBe(204)
    expect((await ask('get', '/usage/budgets', undefined, 'bob')).body.items).toMatchObject([
      { set_by: 'admin', tokens: 50 },
    ])
    const { body } = await admin('get', '/usage/users/bob?by=provider')
    expect(body).toMatchObject({ total: { input_tokens: 7 }, budgets: [{ set_by: 'admin', tokens: 50 }] })
    expect((await admin('delete', '/usage/users/bob/budgets/day')).status).toBe(204)
  })

  test.each([
    ['get', '/usage/users/bob', undefined],
    ['put', '/usage/users/bob/budgets/day', { tokens: 1 }],
    ['delete', '/usage/users/bob/budgets/day', undefined],
  ] as const)('of others are for administrators alone: %s %s', async (verb, path, body) => {
    const { status, body: problem } = await ask(verb, path, body)
    expect([status, problem.permission]).toEqual([403, 'auth.admin'])
  })

  test('are not for an API key to change, whatever it may', async () => {
    const options = { audience: 'llm-proxy', actors: ['gateway'], apiKeyId: 'key-of-alice', scope: '*' }
    const token = await setting.issuer.userToken('alice', options)
    for (const path of ['/usage/budgets/day', '/usage/users/alice/budgets/day']) {
      expect((await tokenWith(token, 'put', path, { tokens: 1_000_000 })).status).toBe(403)
      expect((await tokenWith(token, 'delete', path)).status).toBe(403)
    }
    expect((await tokenWith(token, 'get', '/usage/budgets')).status).toBe(200)
  })

  test('stand in the audit when they are set and removed, with who it was', async () => {
    await ask('put', '/usage/budgets/day', { tokens: 9 }, 'carol')
    await admin('put', '/usage/users/carol/budgets/day', { money: { amount: '3', currency: 'EUR' } })
    await ask('delete', '/usage/budgets/day', undefined, 'carol')
    const { rows } = await client.query(
      `select action, resource, on_behalf_of, details from audit where resource like 'budget/carol/%' order by id`,
    )
    expect(rows).toEqual([
      {
        action: 'budget.set',
        resource: 'budget/carol/day/user',
        on_behalf_of: 'user:carol',
        details: { tokens: 9, money: null },
      },
      {
        action: 'budget.set',
        resource: 'budget/carol/day/admin',
        on_behalf_of: 'user:root',
        details: { tokens: null, money: { amount: '3', currency: 'EUR' } },
      },
      { action: 'budget.remove', resource: 'budget/carol/day/user', on_behalf_of: 'user:carol', details: {} },
    ])
  })
})

test("GET /usage/alerts gives the caller's own, newest first", async () => {
  await client.query(
    `insert into budget_alerts (user_id, period, starts, set_by, measure, percent, budget, used, currency, at) values
      ('alice', 'day', $1::date, 'user', 'tokens', 80, 100, 85, null, now() - interval '1 hour'),
      ('alice', 'month', $1::date, 'admin', 'money', 100, 5000000, 5000001, 'USD', now()),
      ('bob', 'day', $1::date, 'user', 'tokens', 80, 100, 85, null, now())`,
    [YESTERDAY],
  )
  const { body } = await ask('get', '/usage/alerts')
  expect(body.items).toMatchObject([
    { measure: 'money', percent: 100, budget: '5.00', used: '5.000001', currency: 'USD' },
    { measure: 'tokens', percent: 80, budget: '100', used: '85', currency: null, starts: YESTERDAY },
  ])
  expect((await ask('get', '/usage/alerts?limit=1')).body.items).toHaveLength(1)
})

test('who proves no identity is counted by address, and a user is not', async () => {
  const narrow = await startSetting({ ANONYMOUS_CALLS_PER_MINUTE: '2' })
  const token = await narrow.tokenOf('alice')
  const statuses: number[] = []
  for (let calls = 0; calls < 3; calls += 1) {
    statuses.push((await supertest(narrow.service.app).get('/usage')).status)
    statuses.push(
      (await supertest(narrow.service.app).get('/usage').set('Authorization', `Bearer ${token}`)).status,
    )
  }
  expect(statuses).toEqual([401, 200, 401, 200, 429, 200])
  await narrow.close()
})
