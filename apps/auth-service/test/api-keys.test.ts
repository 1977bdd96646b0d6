import { isApiKey } from '@waybill/auth'
import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startSetting } from './setting.ts'
import type { Session, Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({ API_KEYS_PER_USER: '3' })
})
afterAll(() => setting.close())

type Who = Pick<Session, 'access_token'>
const bearer = ({ access_token }: Who) => `Bearer ${access_token}`
const create = (who: Who, body: Record<string, unknown> = {}) =>
  setting.http
    .post('/auth/api-keys')
    .set('Authorization', bearer(who))
    .send({ name: 'Production API Key', permissions: ['tasks.create', 'tasks.read'], ...body })
const list = async (who: Who) =>
  (await setting.http.get('/auth/api-keys').set('Authorization', bearer(who)).expect(200)).body
    .api_keys as Record<string, unknown>[]
const revoke = (who: Who, id: string) =>
  setting.http.delete(`/auth/api-keys/${id}`).set('Authorization', bearer(who))
const rotate = (who: Who, id: string, body: Record<string, unknown> = {}) =>
  setting.http.post(`/auth/api-keys/${id}/rotate`).set('Authorization', bearer(who)).send(body)
/** What a service is told of the key; the database is asked each time. */
const introspect = async (key: string) =>
  (await setting.post('gateway', '/oauth/introspect', { token: key }).expect(200)).body as Record<
    string,
    unknown
  >

describe('creating an API key (seed 002)', () => {
  it('shows it once, keeps its SHA-256, and lets it in with the permissions it was given', async () => {
    const user = await setting.newUser()
    const { body } = await create(user, { expires_in_days: 90 }).expect(201)
    const { api_key: key, ...rest } = body as Record<'api_key' | 'created_at' | 'expires_at', string>
    expect(isApiKey(key)).toBe(true)
    expect(rest).toEqual({
      key_id: expect.any(String),
      name: 'Production API Key',
      prefix: key.slice(0, 8),
      permissions: ['tasks.create', 'tasks.read'],
      created_at: expect.any(String),
      expires_at: expect.any(String),
      last_used_at: null,
      revoked_at: null,
    })
    expect(Date.parse(rest.expires_at) - Date.parse(rest.created_at)).toBe(90 * 86_400_000)
    expect(await list(user)).toEqual([rest])
    const dump = await setting.admin(`select k::text || encode(k.hash, 'escape') as row from api_keys k`)
    expect(JSON.stringify(dump)).not.toContain(key.slice(8))
    expect(JSON.stringify(await setting.admin('select a::text from audit a'))).not.toContain(key.slice(8))

    const me = await setting.http.get('/auth/me').set('X-API-Key', key).expect(200)
    expect(me.body).toMatchObject({
      user_id: user.user_id,
      permissions: ['tasks.create', 'tasks.read'],
      session_id: '',
    })
  })

  it.each([
    [['tasks.read', 'auth.admin'], 'auth.admin'],
    [['*'], '*'],
    // The role has each of these today, and not what may be added tomorrow.
    [['tasks.*'], 'tasks.*'],
    [['no.such'], 'no.such'],
  ])('with %j is refused: the role user does not have %s', async (permissions, beyond) => {
    const user = await setting.newUser()
    const { body } = await create(user, { permissions }).expect(403)
    expect(body).toMatchObject({ code: 'insufficient_permission', permission: beyond })
    expect(await list(user)).toEqual([])
    const [row] = await setting.admin(
      `select resource, outcome, details from audit where action = 'access.denied' and actor = $1`,
      [`user:${user.user_id}`],
    )
    expect(row).toEqual({
      resource: 'route/POST /auth/api-keys',
      outcome: 'denied',
      details: { code: 'insufficient_permission', permission: beyond },
    })
  })

  it('gives no more than the token that asks, which may have been issued for less than the role', async () => {
    const user = await setting.newUser()
    const { body: wide } = await create(user).expect(201)
    const { body: narrow } = await setting
      .exchange('gateway', 'auth-service', user.access_token, { scope: 'tasks.read' })
      .expect(200)
    await create(narrow, { permissions: ['tasks.read'] }).expect(201)
    const { body } = await create(narrow, { permissions: ['tasks.read', 'tasks.delete'] }).expect(403)
    expect(body).toMatchObject({ code: 'insufficient_permission', permission: 'tasks.delete' })
    await rotate(narrow, wide.key_id).expect(403)
  })

  it('with wildcards is for whom they are part of the role', async () => {
    const admin = await setting.newAdmin()
    const { body } = await create(admin, { permissions: ['tasks.*', 'auth.admin'] }).expect(201)
    expect((await introspect(body.api_key)).scope).toBe('tasks.* auth.admin')
  })

  it.each([
    { permissions: [] },
    { permissions: ['TASKS'] },
    { expires_in_days: 0 },
    { name: ' ' },
    { user_id: 'somebody' },
    { role: 'admin' },
  ])('with %j is refused for its form (CVE-2025-61928)', async (body) => {
    await create(await setting.newUser(), body).expect(400)
  })

  it('is refused when there are as many as may be, also when they are asked for at the same time', async () => {
    const user = await setting.newUser()
    const answers = await Promise.all(Array.from({ length: 6 }, () => create(user)))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 409, 409, 409])
    const [first] = await list(user)
    await revoke(user, first!.key_id as string).expect(204)
    await create(user).expect(201)
  })
})

describe('an API key', () => {
  it('cannot manage keys, sessions or the password', async () => {
    const admin = await setting.newAdmin()
    const { body } = await create(admin, { permissions: ['*'] }).expect(201)
    const calls = [
      setting.http.post('/auth/api-keys').send({ name: 'x', permissions: ['*'] }),
      setting.http.get('/auth/api-keys'),
      setting.http.delete(`/auth/api-keys/${body.key_id}`),
      setting.http.post(`/auth/api-keys/${body.key_id}/rotate`).send({}),
      setting.http.post('/auth/logout'),
      setting.http.get('/auth/sessions'),
      setting.http.delete('/auth/sessions'),
      setting.http.post('/auth/change-password').send({ current_password: 'x', new_password: 'xxxxxxxx' }),
    ]
    for (const call of calls) await call.set('X-API-Key', body.api_key).expect(403)
  })

  it('that is revoked is dead at once, here and in what services are told', async () => {
    const user = await setting.newUser()
    const { body } = await create(user).expect(201)
    await setting.http.get('/auth/me').set('X-API-Key', body.api_key).expect(200)
    await revoke(user, body.key_id).expect(204)
    expect(await introspect(body.api_key)).toEqual({ active: false })
    const revoked = await setting.admin(`select subject from revocations where kind = 'api_key'`)
    expect(revoked).toContainEqual({ subject: body.key_id })
    const [key] = await list(user)
    expect(key!.revoked_at).toEqual(expect.any(String))
    await revoke(user, body.key_id).expect(404)
  })

  it('that has expired is worth nothing', async () => {
    const { body } = await create(await setting.newUser()).expect(201)
    await setting.admin('update api_keys set expires_at = now() where id = $1', [body.key_id])
    expect(await introspect(body.api_key)).toEqual({ active: false })
  })

  it('of a disabled user is worth nothing', async () => {
    const user = await setting.newUser()
    const { body } = await create(user).expect(201)
    await setting.admin('update users set disabled_at = now() where id = $1', [user.user_id])
    expect(await introspect(body.api_key)).toEqual({ active: false })
  })

  it('allows no more than its owner’s role has now', async () => {
    const user = await setting.newUser()
    const { body } = await create(user).expect(201)
    await setting.admin(`update users set role = 'viewer' where id = $1`, [user.user_id])
    expect(await introspect(body.api_key)).toMatchObject({ scope: 'tasks.read', role: 'viewer' })
  })

  it('of somebody else cannot be seen, revoked or rotated, not even by an administrator', async () => {
    const { body } = await create(await setting.newUser()).expect(201)
    for (const other of [await setting.newUser(), await setting.newAdmin()]) {
      expect(await list(other)).toEqual([])
      await revoke(other, body.key_id).expect(404)
      await rotate(other, body.key_id).expect(404)
    }
    expect(await introspect(body.api_key)).toMatchObject({ active: true })
  })

  it('that was made up is refused without a look at the database', async () => {
    expect(await introspect(`wb_${'0'.repeat(36)}`)).toEqual({ active: false })
  })

  it('has a time of its last use, written down later and not while a request waits', async () => {
    const user = await setting.newUser()
    const { body } = await create(user).expect(201)
    const instance = await setting.another()
    await supertest(instance.app).get('/auth/me').set('X-API-Key', body.api_key).expect(200)
    expect((await list(user))[0]!.last_used_at).toBeNull()
    await instance.close()
    expect((await list(user))[0]!.last_used_at).toEqual(expect.any(String))
  })
})

describe('rotating an API key', () => {
  it('gives a successor with the same name, permissions and life; both work until the overlap ends', async () => {
    const user = await setting.newUser()
    const { body: old } = await create(user, { expires_in_days: 10 }).expect(201)
    const { body: next } = await rotate(user, old.key_id, { overlap_seconds: 3600 }).expect(201)
    expect(next).toMatchObject({ name: old.name, permissions: old.permissions })
    expect(next.key_id).not.toBe(old.key_id)
    expect(Date.parse(next.expires_at) - Date.parse(next.created_at)).toBe(10 * 86_400_000)
    expect(await introspect(next.api_key)).toMatchObject({ active: true })
    const { exp } = await introspect(old.api_key)
    expect((exp as number) - Date.now() / 1000).toBeLessThanOrEqual(3600)
    expect((exp as number) - Date.now() / 1000).toBeGreaterThan(3500)
  })

  it('makes every service, and this one, ask again how long the old one lives', async () => {
    const user = await setting.newUser()
    const { body: old } = await create(user).expect(201)
    const use = () => setting.http.get('/auth/me').set('X-API-Key', old.api_key)
    await use().expect(200)
    await rotate(user, old.key_id, { overlap_seconds: 1 }).expect(201)
    const told = await setting.admin(`select kind from revocations where subject = $1`, [old.key_id])
    expect(told).toEqual([{ kind: 'api_key_changed' }])
    // What this service remembers of a key, half a minute long, would outlast it.
    await vi.waitUntil(async () => (await use()).status === 401, { timeout: 10_000 })
  })

  it('without an overlap revokes the old one, and that stands in the audit', async () => {
    const user = await setting.newUser()
    const { body: old } = await create(user).expect(201)
    await rotate(user, old.key_id, { overlap_seconds: 0 }).expect(201)
    expect(await introspect(old.api_key)).toEqual({ active: false })
    const revoked = await setting.admin(`select subject from revocations where kind = 'api_key'`)
    expect(revoked).toContainEqual({ subject: old.key_id })
    const audit = await setting.admin('select action from audit where resource = $1 order by seq', [
      `api_key/${old.key_id}`,
    ])
    expect(audit.map(({ action }) => action)).toEqual(['api_key.create', 'api_key.revoke', 'api_key.rotate'])
  })

  it('never makes a key live longer than it would have', async () => {
    const user = await setting.newUser()
    const { body: old } = await create(user, { expires_in_days: 1 }).expect(201)
    await rotate(user, old.key_id, { overlap_seconds: 30 * 86_400 }).expect(201)
    const kept = (await list(user)).find(({ key_id }) => key_id === old.key_id)
    expect(kept!.expires_at).toBe(old.expires_at)
  })

  it('replaces, so it needs no room among the keys that one may have, and makes none', async () => {
    const user = await setting.newUser()
    const keys = []
    for (let made = 0; made < 3; made += 1) keys.push((await create(user).expect(201)).body)
    const { body: second } = await rotate(user, keys[0].key_id, { overlap_seconds: 0 }).expect(201)
    await rotate(user, second.key_id).expect(201)
    expect(await introspect(second.api_key)).toMatchObject({ active: true })
    await create(user).expect(409)
  })

  it('keeps no more replaced keys at work than one may have, however long the overlaps', async () => {
    const user = await setting.newUser()
    let { body: key } = await create(user).expect(201)
    const first = key
    for (let rotated = 0; rotated < 3; rotated += 1)
      key = (await rotate(user, key.key_id, { overlap_seconds: 30 * 86_400 }).expect(201)).body
    const { body } = await rotate(user, key.key_id).expect(409)
    expect(body.detail).toContain('overlap')
    const { body: last } = await rotate(user, key.key_id, { overlap_seconds: 0 }).expect(201)
    await revoke(user, first.key_id).expect(204)
    await rotate(user, last.key_id).expect(201)
  })

  it('is for the key that stands: one that has a successor already gets no second one', async () => {
    const user = await setting.newUser()
    const { body: old } = await create(user).expect(201)
    const answers = await Promise.all([1, 2, 3].map(() => rotate(user, old.key_id)))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409])
    await rotate(user, old.key_id, { overlap_seconds: 0 }).expect(409)
    await revoke(user, old.key_id).expect(204)
  })

  it('of one that is revoked, or beyond what the role has by now, is refused', async () => {
    const user = await setting.newUser()
    const { body: old } = await create(user).expect(201)
    await setting.admin(`update users set role = 'viewer' where id = $1`, [user.user_id])
    await rotate(user, old.key_id).expect(403)
    await revoke(user, old.key_id).expect(204)
    await rotate(user, old.key_id).expect(404)
  })
})

it('what happened to a key is audited, as the user', async () => {
  const user = await setting.newUser()
  const { body: old } = await create(user).expect(201)
  const { body: next } = await rotate(user, old.key_id).expect(201)
  await revoke(user, next.key_id).expect(204)
  const rows = await setting.admin(
    `select action, resource, details from audit where actor = $1 and action like 'api_key.%' order by seq`,
    [`user:${user.user_id}`],
  )
  expect(rows).toEqual([
    {
      action: 'api_key.create',
      resource: `api_key/${old.key_id}`,
      details: { permissions: old.permissions },
    },
    {
      action: 'api_key.rotate',
      resource: `api_key/${old.key_id}`,
      details: { successor: next.key_id, overlap_seconds: 86_400 },
    },
    { action: 'api_key.revoke', resource: `api_key/${next.key_id}`, details: {} },
  ])
})
