import { createHash } from 'node:crypto'
import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { basic, startSetting } from './setting.ts'
import type { Session, Setting } from './setting.ts'

interface Created {
  name: string
  secret_id: string
  secret: string
}

let setting: Setting
let admin: Session
beforeAll(async () => {
  setting = await startSetting({
    SERVICE_CLIENTS: JSON.stringify({ docling: createHash('sha256').update('configured').digest('hex') }),
  })
  admin = await setting.newAdmin()
})
afterAll(() => setting.close())

const PATH = '/auth/admin/service-clients'
const ask = (method: 'get' | 'post' | 'delete', path: string, body?: object, token = admin.access_token) =>
  setting.http[method](PATH + path)
    .set('Authorization', `Bearer ${token}`)
    .send(body)
const create = async (name: string, more = {}): Promise<Created> =>
  (await ask('post', '', { name, ...more }).expect(201)).body as Created
const authenticate = (name: string, secret: string) =>
  setting.http
    .post('/oauth/introspect')
    .type('form')
    .set('Authorization', basic(name, secret))
    .send({ token: 'x' })
const clientNamed = async (name: string) => {
  const { body } = await ask('get', '').expect(200)
  return (body.service_clients as { name: string }[]).find((client) => client.name === name)
}

describe('a service client that an administrator registers', () => {
  it('gets tokens with the secret that is shown once and kept as a hash', async () => {
    const { secret, secret_id } = await create('gateway')
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32)
    const { body } = await setting.http
      .post('/oauth/token')
      .type('form')
      .set('Authorization', basic('gateway', secret))
      .send({ grant_type: 'client_credentials', audience: 'auth-service' })
      .expect(200)
    expect(body.access_token).toBeDefined()
    expect(await clientNamed('gateway')).toEqual({
      ...{ name: 'gateway', configured: false, disabled_at: null },
      audiences: ['auth-service', 'llm-proxy', 'docling', 'data_store', 'work-platform'],
      secrets: [{ secret_id, created_at: expect.any(String), expires_at: null }],
    })
    const rows = await setting.admin(
      `select s::text as text from service_client_secrets s union all select a::text from audit a`,
    )
    expect(JSON.stringify(rows)).not.toContain(secret)
  })

  it('is one: a name that is taken, or configured, is a conflict', async () => {
    await create('llm-proxy')
    await ask('post', '', { name: 'llm-proxy' }).expect(409)
    await ask('post', '', { name: 'docling' }).expect(409)
    await ask('post', '', { name: 'Not A Name' }).expect(400)
    await ask('post', '', { name: 'x', role: 'admin' }).expect(400)
  })

  it('has two secrets at most, of which each can be revoked', async () => {
    const first = await create('data_store')
    const { body: second } = await ask('post', '/data_store/secrets', {}).expect(201)
    await ask('post', '/data_store/secrets', {}).expect(409)
    for (const { secret } of [first, second as Created]) await authenticate('data_store', secret).expect(200)
    await ask('delete', `/data_store/secrets/${first.secret_id}`).expect(204)
    await authenticate('data_store', first.secret).expect(401)
    await authenticate('data_store', (second as Created).secret).expect(200)
    await ask('delete', `/data_store/secrets/${first.secret_id}`).expect(404)
    await ask('post', '/data_store/secrets', {}).expect(201)
  })

  it('gets one second secret of two administrators who ask at the same time', async () => {
    await create('substrate-api')
    const answers = await Promise.all([1, 2, 3].map(() => ask('post', '/substrate-api/secrets', {})))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409])
  })

  it('is not known with a secret that has expired, which leaves room for another', async () => {
    const first = await create('work-platform', { expires_in_days: 1 })
    await authenticate('work-platform', first.secret).expect(200)
    await setting.admin(`update service_client_secrets set expires_at = now() where id = $1`, [
      first.secret_id,
    ])
    await authenticate('work-platform', first.secret).expect(401)
    expect(await clientNamed('work-platform')).toMatchObject({ secrets: [] })
  })

  it('gets no tokens once it is disabled', async () => {
    const { secret } = await create('reporting')
    await authenticate('reporting', secret).expect(200)
    await ask('delete', '/reporting').expect(204)
    const { body } = await authenticate('reporting', secret).expect(401)
    expect(body.error).toBe('invalid_client')
    await ask('post', '/reporting/secrets', {}).expect(409)
    await ask('delete', '/reporting').expect(204)
    expect(await clientNamed('reporting')).toMatchObject({ disabled_at: expect.any(String) })
  })

  it('is audited from its beginning to its end', async () => {
    const rows = await setting.admin(
      `select distinct action, actor, outcome from audit
       where resource like 'service_client/%' and action != 'service_client.authenticate' order by action`,
    )
    const by = { actor: `user:${admin.user_id}`, outcome: 'success' }
    expect(rows).toEqual(
      ['add_secret', 'create', 'disable', 'revoke_secret'].map((action) => ({
        ...{ action: `service_client.${action}`, ...by },
      })),
    )
  })

  it('is known at every instance at once', async () => {
    const { secret } = await create('another')
    const other = await setting.another()
    await supertest(other.app)
      .get('/oauth/revocations')
      .set('Authorization', basic('another', secret))
      .expect(200)
  })
})

describe('a service client of SERVICE_CLIENTS', () => {
  it('is listed, without secrets, and changed only there', async () => {
    expect(await clientNamed('docling')).toEqual({
      ...{ name: 'docling', configured: true, disabled_at: null, audiences: ['llm-proxy'], secrets: [] },
    })
    await ask('post', '/docling/secrets', {}).expect(409)
    await ask('delete', '/docling').expect(409)
    await authenticate('docling', 'configured').expect(200)
  })
})

it('managing service clients is for administrators', async () => {
  const { access_token } = await setting.newUser()
  for (const [method, path] of [
    ['get', ''],
    ['post', ''],
    ['post', '/gateway/secrets'],
    ['delete', '/gateway/secrets/x'],
    ['delete', '/gateway'],
  ] as const) {
    await ask(method, path, {}, access_token).expect(403)
    await setting.http[method](PATH + path).expect(401)
  }
})

it('of a client that does not exist, nothing can be changed', async () => {
  await ask('post', '/nobody/secrets', {}).expect(404)
  await ask('delete', '/nobody/secrets/x').expect(404)
  await ask('delete', '/nobody').expect(404)
})
