import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { claimsOf, EXCHANGE, PASSWORD, startSetting } from './setting.ts'
import type { Session, Setting } from './setting.ts'

const API_KEY = 'urn:waybill:params:oauth:token-type:api-key'

let setting: Setting
let admin: Session
let user: Session & { username: string }
beforeAll(async () => {
  setting = await startSetting()
  admin = await setting.newAdmin()
})
beforeEach(async () => {
  user = await setting.newUser()
})
afterAll(() => setting.close())

const bearer = ({ access_token }: Pick<Session, 'access_token'>) => `Bearer ${access_token}`
const change = (body: object, who: Pick<Session, 'access_token'> = admin) =>
  setting.http.patch(`/auth/admin/users/${user.user_id}`).set('Authorization', bearer(who)).send(body)
const me = (who: Pick<Session, 'access_token'>) =>
  setting.http.get('/auth/me').set('Authorization', bearer(who))
const refreshed = async (): Promise<Session> =>
  (await setting.refresh(user.refresh_token).expect(200)).body as Session
const worth = async (token: string) =>
  (await setting.post('gateway', '/oauth/introspect', { token }).expect(200)).body as Record<string, unknown>
const newKey = async (who: Pick<Session, 'access_token'>): Promise<string> => {
  const wanted = { name: 'a key', permissions: ['memory.read'] }
  const made = await setting.http.post('/auth/api-keys').set('Authorization', bearer(who)).send(wanted)
  expect(made.status).toBe(201)
  return (made.body as { api_key: string }).api_key
}

describe('an administrator', () => {
  it('puts a user into a tenant: tokens from before are refused, the next ones name it, and so do the answers', async () => {
    expect(claimsOf(user.access_token)).not.toHaveProperty('tenant_id')
    const { body } = await change({ tenant_id: 'harbour' }).expect(200)
    expect(body).toMatchObject({ user_id: user.user_id, tenant_id: 'harbour' })
    expect(await worth(user.access_token)).toEqual({ active: false })
    const refused = await setting.exchange('gateway', 'data_store', user.access_token).expect(400)
    expect(refused.body.error).toBe('invalid_grant')

    const next = await refreshed()
    const again = (await setting.logIn(user.username, PASSWORD).expect(200)).body as Session
    for (const session of [next, again]) {
      expect(claimsOf(session.access_token)).toMatchObject({ tenant_id: 'harbour' })
      expect((await me(session).expect(200)).body).toMatchObject({ tenant_id: 'harbour' })
    }
  })

  it('takes a user out of its tenant with null, and what is so already changes nothing; each change is audited', async () => {
    await change({ tenant_id: 'harbour' }).expect(200)
    const within = await refreshed()
    await change({ tenant_id: 'harbour' }).expect(200)
    expect(await worth(within.access_token)).toMatchObject({ active: true, tenant_id: 'harbour' })

    const { body } = await change({ tenant_id: null }).expect(200)
    expect(body).not.toHaveProperty('tenant_id')
    expect(await worth(within.access_token)).toEqual({ active: false })
    const { body: next } = await setting.refresh(within.refresh_token).expect(200)
    expect(claimsOf(next.access_token)).not.toHaveProperty('tenant_id')
    expect((await me(next).expect(200)).body).not.toHaveProperty('tenant_id')
    const rows = await setting.admin(
      `select actor, outcome, details from audit where action = 'user.update' and resource = $1 order by seq`,
      [`user/${user.user_id}`],
    )
    expect(rows).toEqual(
      ['harbour', null].map((tenant_id) => ({
        ...{ actor: `user:${admin.user_id}`, outcome: 'success', details: { tenant_id } },
      })),
    )
  })

  it.each(['', ' ', 'a b', '-a', '.', '../x', 'a\n', 'a\0', 'é', 'a'.repeat(129), 3])(
    'is told that %j is no tenant, and nothing changes',
    async (tenant_id) => {
      const { body } = await change({ tenant_id, tier: 'free' }).expect(400)
      expect(JSON.stringify(body)).toContain('tenant_id')
      expect(await worth(user.access_token)).toMatchObject({ active: true, tier: 'standard' })
    },
  )

  it('may name a tenant with as many letters as there may be', async () => {
    const tenant_id = `T${'0._-'.repeat(31)}abc`
    expect(tenant_id).toHaveLength(128)
    expect((await change({ tenant_id }).expect(200)).body).toMatchObject({ tenant_id })
  })
})

it('a user has no way to choose a tenant: every route that takes an account refuses the member', async () => {
  const tenant = { tenant_id: 'harbour' }
  await change(tenant, user).expect(403)
  const name = `${user.username}-2`
  const registration = { username: name, email: `${name}@example.test`, password: PASSWORD }
  await setting.http
    .post('/auth/register')
    .send({ ...registration, ...tenant })
    .expect(400)
  await setting.http
    .post('/auth/login')
    .send({ username: user.username, password: PASSWORD, ...tenant })
    .expect(400)
  await setting.http
    .post('/auth/refresh')
    .send({ refresh_token: user.refresh_token, ...tenant })
    .expect(400)
  for (const [path, body] of [
    ['/auth/change-password', { current_password: PASSWORD, new_password: `${PASSWORD} 2` }],
    ['/auth/api-keys', { name: 'a key', permissions: ['memory.read'] }],
  ] as const)
    await setting.http
      .post(path)
      .set('Authorization', bearer(user))
      .send({ ...body, ...tenant })
      .expect(400)
  const { body } = await setting.exchange('gateway', 'data_store', user.access_token, tenant).expect(200)
  expect(claimsOf(body.access_token)).not.toHaveProperty('tenant_id')
  const rows = await setting.admin('select username, tenant_id from users where username = any($1)', [
    [user.username, name],
  ])
  expect(rows).toEqual([{ username: user.username, tenant_id: null }])
})

describe('the tenant of a user', () => {
  it('goes along with every exchange', async () => {
    await change({ tenant_id: 'harbour' }).expect(200)
    const { access_token } = await refreshed()
    const { body: first } = await setting.exchange('gateway', 'llm-proxy', access_token).expect(200)
    const { body: second } = await setting.exchange('llm-proxy', 'data_store', first.access_token).expect(200)
    for (const token of [first.access_token, second.access_token])
      expect(claimsOf(token)).toMatchObject({ tenant_id: 'harbour' })
  })

  it('is that of the user’s API keys, made before or after, at the very next question', async () => {
    const before = await newKey(user)
    expect(await worth(before)).not.toHaveProperty('tenant_id')
    await change({ tenant_id: 'harbour' }).expect(200)
    const after = await newKey(await refreshed())
    for (const key of [before, after]) {
      expect(await worth(key)).toMatchObject({ active: true, tenant_id: 'harbour' })
      const form = { subject_token: key, subject_token_type: API_KEY }
      const { body } = await setting
        .token('gateway', { ...form, grant_type: EXCHANGE, audience: 'data_store' })
        .expect(200)
      expect(claimsOf(body.access_token)).toMatchObject({ tenant_id: 'harbour' })
      const seen = await setting.http.get('/auth/verify').set('X-API-Key', key).expect(200)
      expect(seen.headers['x-tenant-id']).toBe('harbour')
    }
  })
})
