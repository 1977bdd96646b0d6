import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSetting } from './setting.ts'
import type { Session, Setting } from './setting.ts'

let setting: Setting
let user: Session
let apiKey: string
beforeAll(async () => {
  setting = await startSetting()
  user = await setting.newUser()
  const { body } = await setting.http
    .post('/auth/api-keys')
    .set('Authorization', `Bearer ${user.access_token}`)
    .send({ name: 'a key', permissions: ['memory.read'] })
    .expect(201)
  apiKey = (body as { api_key: string }).api_key
})
afterAll(() => setting.close())

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options'] as const
const verify = (headers: Record<string, string>, query = '', method: (typeof METHODS)[number] = 'get') =>
  setting.http[method](`/auth/verify${query}`).set(headers)
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })

describe('/auth/verify', () => {
  it.each(METHODS)(
    'tells a gateway in headers who the caller is, to %s (Envoy keeps the method)',
    async (method) => {
      const { headers, text } = await verify(bearer(user.access_token), '', method).expect(200)
      expect(headers).toMatchObject({
        'x-user-id': user.user_id,
        'x-tenant-id': '',
        'x-service-name': '',
        'x-user-role': 'user',
        'x-auth-via': 'jwt',
        'cache-control': 'private, no-store',
      })
      expect(headers['x-user-permissions']?.split(' ')).toContain('memory.read')
      expect(text).toBeFalsy()
    },
  )

  it('takes an API key for what it allows', async () => {
    const { headers } = await verify({ 'X-API-Key': apiKey }, '?permission=memory.read').expect(200)
    expect(headers).toMatchObject({
      ...{ 'x-user-id': user.user_id, 'x-user-permissions': 'memory.read', 'x-auth-via': 'api-key' },
    })
    const { body, headers: refused } = await verify(
      { 'X-API-Key': apiKey },
      '?permission=memory.write',
    ).expect(403)
    expect(body.code).toBe('insufficient_permission')
    expect(refused['www-authenticate']).toContain('insufficient_scope')
    expect(refused).not.toHaveProperty('x-user-id')
  })

  it('reads nothing of a body, of whatever form and however large it says it is', async () => {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': '99999999999' }
    const { hostname, port } = new URL((await setting.service.listen({ port: 0 })).url)
    const sent = request({
      ...{ hostname, port, method: 'POST', path: '/auth/verify' },
      headers: { ...headers, ...bearer(user.access_token) },
    })
    sent.flushHeaders()
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    expect(answer.statusCode).toBe(200)
    sent.destroy()
  })

  it('has what it denies in the audit', async () => {
    const someone = await setting.newUser()
    await verify(bearer(someone.access_token), '?permission=auth.admin').expect(403)
    const rows = await setting.admin(
      `select action, resource, details from audit where actor = $1 and outcome = 'denied'`,
      [`user:${someone.user_id}`],
    )
    expect(rows).toEqual([
      {
        action: 'access.denied',
        resource: 'route/ANY /auth/verify',
        details: { code: 'insufficient_permission', permission: 'auth.admin' },
      },
    ])
  })

  it('takes a service for itself, and a service for the user behind it', async () => {
    const own = await setting.token('gateway', { grant_type: 'client_credentials', audience: 'auth-service' })
    const { headers } = await verify(bearer(own.body.access_token)).expect(200)
    expect(headers).toMatchObject({
      ...{
        'x-user-id': '',
        'x-service-name': 'gateway',
        'x-user-permissions': '',
        'x-auth-via': 'service-jwt',
      },
    })
    const behalf = await setting.exchange('gateway', 'auth-service', user.access_token).expect(200)
    const { headers: of } = await verify(bearer(behalf.body.access_token)).expect(200)
    expect(of).toMatchObject({ 'x-user-id': user.user_id, 'x-service-name': 'gateway' })
  })

  it('does not hear what a stranger says of itself', async () => {
    const { headers } = await verify({
      ...bearer(user.access_token),
      ...{ 'X-User-ID': 'admin', X_User_ID: 'admin', 'X-Service-Name': 'gateway', 'X-User-Role': 'admin' },
    }).expect(200)
    expect(headers).toMatchObject({
      ...{ 'x-user-id': user.user_id, 'x-service-name': '', 'x-user-role': 'user' },
    })
    await verify({ 'X-User-ID': 'admin' }).expect(401)
  })

  it('answers 401 with a challenge for no credential and for a bad one', async () => {
    const { headers } = await verify({}).expect(401)
    expect(headers['www-authenticate']).toBe('Bearer realm="waybill"')
    for (const bad of [
      bearer('a.b.c'),
      { 'X-API-Key': `wb_${'0'.repeat(36)}` },
      { Authorization: 'Basic x' },
    ]) {
      const answer = await verify(bad).expect(401)
      expect(answer.headers['www-authenticate']).toContain('invalid_token')
    }
    const gone = await setting.newUser()
    await setting.logOut(gone.access_token).expect(204)
    await verify(bearer(gone.access_token)).expect(401)
  })

  it('answers 400 for two credentials, and for a permission that is not written as one', async () => {
    const { body } = await verify({ ...bearer(user.access_token), 'X-API-Key': apiKey }).expect(400)
    expect(body.code).toBe('ambiguous_credentials')
    await verify(bearer(user.access_token), '?permission=..').expect(400)
  })

  it('works at an instance that has not seen the user before', async () => {
    const other = await setting.another()
    await supertest(other.app).get('/auth/verify').set('X-API-Key', apiKey).expect(200)
  })
})
