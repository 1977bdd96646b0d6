import { afterAll, beforeAll, expect, it } from 'vitest'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())

const ask = (token: string, permission: string, resource?: string) =>
  setting.http
    .post('/auth/verify-permission')
    .set('Authorization', `Bearer ${token}`)
    .send({ permission, ...(resource !== undefined && { resource }) })

it.each([
  ['user', 'tasks.create', true, 'role', 'user'],
  ['user', 'auth.admin', false, 'role', 'user'],
  ['user', 'tasks.*', false, 'role', 'user'],
  ['user', '*', false, 'role', 'user'],
  ['user', 'no.such', false, 'policy', 'permission table'],
  ['viewer', 'tasks.read', true, 'role', 'viewer'],
  ['viewer', 'tasks.create', false, 'role', 'viewer'],
  ['admin', 'tasks.create', true, 'role', 'admin'],
  ['admin', 'tasks.*', true, 'role', 'admin'],
  ['admin', '*', true, 'role', 'admin'],
  ['admin', 'no.such', true, 'role', 'admin'],
])('the role %s and %s: %s, decided by the %s', async (role, permission, allowed, by, decider) => {
  const { username, user_id } = await setting.newUser()
  await setting.admin('update users set role = $1 where id = $2', [role, user_id])
  const { body: session } = await setting.logIn(username).expect(200)
  const { body } = await ask(session.access_token, permission, 'task/7').expect(200)
  expect(body).toEqual({
    ...{ allowed, permission, resource: 'task/7', decided_by: by, decider },
    reason: expect.stringContaining(permission),
  })
  const denials = await setting.admin(
    `select resource, outcome, details from audit where action = 'permission.verify' and actor = $1`,
    [`user:${user_id}`],
  )
  const denial = { resource: 'task/7', decided_by: by, decider }
  expect(denials).toEqual(
    allowed ? [] : [{ resource: `permission/${permission}`, outcome: 'denied', details: denial }],
  )
})

it('with an API key the key decides, within the role', async () => {
  const { access_token } = await setting.newUser()
  const { body: key } = await setting.http
    .post('/auth/api-keys')
    .set('Authorization', `Bearer ${access_token}`)
    .send({ name: 'reader', permissions: ['tasks.read'] })
    .expect(201)
  const decisions = []
  for (const permission of ['tasks.read', 'tasks.create', 'auth.admin']) {
    const { body } = await setting.http
      .post('/auth/verify-permission')
      .set('X-API-Key', key.api_key)
      .send({ permission })
      .expect(200)
    expect(body.resource).toBeNull()
    decisions.push([body.allowed, body.decided_by, body.decider])
  }
  expect(decisions).toEqual([
    [true, 'api_key', key.key_id],
    [false, 'api_key', key.key_id],
    [false, 'role', 'user'],
  ])
})

it('with a token for less than the role the token decides', async () => {
  const { access_token } = await setting.newUser()
  const { body } = await setting.exchange('gateway', 'auth-service', access_token, { scope: 'tasks.read' })
  const { body: decision } = await ask(body.access_token as string, 'tasks.create').expect(200)
  expect(decision).toMatchObject({ allowed: false, decided_by: 'scope', decider: 'token' })
})

it('half a character in the name of a resource is refused for its form, and is no error of the service', async () => {
  const { access_token } = await setting.newUser()
  const { body } = await setting.http
    .post('/auth/verify-permission')
    .set({ Authorization: `Bearer ${access_token}`, 'Content-Type': 'application/json' })
    .send(String.raw`{"permission":"auth.admin","resource":"\ud800"}`)
    .expect(400)
  expect(body.code).toBe('validation_failed')
})

it('what is no permission is refused for its form, and nobody who proved nothing is answered', async () => {
  const { access_token } = await setting.newUser()
  for (const permission of ['', 'Tasks', 'tasks..read', '*.tasks'])
    await ask(access_token, permission).expect(400)
  await setting.http.post('/auth/verify-permission').send({ permission: 'tasks.read' }).expect(401)
})
