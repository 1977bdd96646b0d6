import { loadConfig } from '@waybill/service-kit'
import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../src/app.ts'
import { configSchema } from '../src/config.ts'
import { startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())

const call = (method: string, path: string) =>
  setting.http[method.toLowerCase() as 'get' | 'post'](path.replace(/:\w+/g, 'x'))

describe('every route', () => {
  it('answers 401 without a credential and 403 to who may not, unless it says why it is open', async () => {
    const { body } = await setting.token('gateway', {
      ...{ grant_type: 'client_credentials', audience: 'auth-service' },
    })
    const open: string[] = []
    for (const { method, path, auth } of setting.service.routes) {
      if (auth.open) {
        open.push(`${method} ${path}`)
        continue
      }
      const anonymous = await call(method, path).expect(401)
      expect(anonymous.headers['www-authenticate']).toBe('Bearer realm="waybill"')
      // All of them are for users, so a service with nobody behind it may not.
      await call(method, path).set('Authorization', `Bearer ${body.access_token}`).expect(403)
      await call(method, path).set('Authorization', 'Bearer x.y.z').expect(401)
    }
    expect(open.sort()).toEqual([
      'ANY /auth/verify',
      'GET /.well-known/jwks.json',
      'GET /.well-known/oauth-authorization-server',
      'GET /oauth/revocations',
      'POST /auth/login',
      'POST /auth/refresh',
      'POST /auth/register',
      'POST /oauth/introspect',
      'POST /oauth/revoke',
      'POST /oauth/token',
    ])
  })

  it('refuses a token for another service, and identity headers that the token does not back', async () => {
    const { access_token } = await setting.newUser()
    const other = await setting.exchange('gateway', 'docling', access_token).expect(200)
    await call('GET', '/auth/me').set('Authorization', `Bearer ${other.body.access_token}`).expect(401)
    const forged = await call('GET', '/auth/me')
      .set('Authorization', `Bearer ${access_token}`)
      .set('X-User-ID', 'somebody-else')
      .expect(401)
    expect(forged.body.code).toBe('identity_header_mismatch')
  })

  it('works for a user behind the gateway', async () => {
    const { access_token, user_id } = await setting.newUser()
    const { body } = await setting.exchange('gateway', 'auth-service', access_token).expect(200)
    const me = await call('GET', '/auth/me').set('Authorization', `Bearer ${body.access_token}`).expect(200)
    expect(me.body.user_id).toBe(user_id)
  })

  it('stands in the OpenAPI document', async () => {
    const { body } = await setting.http.get('/openapi.json').expect(200)
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining(setting.service.routes.map(({ path }) => path.replace(/:(\w+)/g, '{$1}'))),
    )
  })
})

describe('without a database', () => {
  it('what needs it is 503 with Retry-After, and nothing hangs', async () => {
    const DATABASE_URL = 'postgresql://auth_service:x@127.0.0.1:9/auth_service'
    const config = loadConfig(configSchema, {
      ...{ ...setting.environment, DATABASE_URL, DATABASE_MIGRATION_URL: DATABASE_URL },
    })
    const service = createApp(config)
    const starting = service.start().catch(() => undefined)
    const { headers } = await supertest(service.app)
      .post('/auth/login')
      .send({ username: 'x', password: 'y' })
      .expect(503)
    expect(headers['retry-after']).toBeDefined()
    await service.close()
    await starting
  })
})
