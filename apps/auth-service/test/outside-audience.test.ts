import { createJwks, createVerifier } from '@waybill/auth'
import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACCESS_TOKEN, basic, claimsOf, EXCHANGE, secretOf, startSetting } from './setting.ts'
import type { Session, Setting } from './setting.ts'

let setting: Setting
let user: Session
/** What data_store is sent by the gateway on the user's behalf. */
let atDataStore: string
beforeAll(async () => {
  setting = await startSetting()
  user = await setting.newUser()
  atDataStore = await exchanged('gateway', user.access_token, 'data_store')
})
afterAll(() => setting.close())

const form = (subject: string, audience: string) => ({
  ...{ grant_type: EXCHANGE, subject_token: subject, subject_token_type: ACCESS_TOKEN },
  audience,
})

async function exchanged(client: string, subject: string, audience: string): Promise<string> {
  const { body } = await setting.token(client, form(subject, audience)).expect(200)
  return String(body.access_token)
}

describe('a token for Supabase', () => {
  it('names the user, the role that the database knows, and nothing else of him', async () => {
    const before = claimsOf(atDataStore)
    const claims = claimsOf(await exchanged('data_store', atDataStore, 'supabase'))
    expect(claims).toEqual({
      ...{ iss: before.iss, aud: 'supabase', sub: before.sub, principal: 'user', role: 'authenticated' },
      ...{ client_id: 'data_store', scope: 'memory.read memory.write' },
      act: { sub: 'data_store', act: { sub: 'gateway' } },
      origin_jti: before.origin_jti,
      ...{
        iat: expect.any(Number),
        nbf: expect.any(Number),
        exp: expect.any(Number),
        jti: expect.any(String),
      },
    })
    expect(before).toMatchObject({ sid: expect.any(String) })
  })

  it('is had by llm-proxy too, where the keys of providers are kept there, and allows it nothing but to say who it is', async () => {
    const atLlmProxy = await exchanged('gateway', user.access_token, 'llm-proxy')
    expect(claimsOf(await exchanged('llm-proxy', atLlmProxy, 'supabase'))).toMatchObject({
      client_id: 'llm-proxy',
      scope: '',
      role: 'authenticated',
    })
  })

  it.each(['gateway', 'docling', 'work-platform', 'substrate-api'])(
    'is had by those two alone, and not by %s',
    async (client) => {
      const { body } = await setting.token(client, form(user.access_token, 'supabase')).expect(400)
      expect(body.error).toBe('invalid_target')
    },
  )

  it('is had on behalf of a user only', async () => {
    const credentials = { grant_type: 'client_credentials', audience: 'supabase' }
    const { body } = await setting.token('data_store', credentials).expect(400)
    expect(body.error).toBe('invalid_target')
  })

  it('is worth nothing to a service of the platform, nor to be exchanged further', async () => {
    const token = await exchanged('data_store', atDataStore, 'supabase')
    const { body: jwks } = await setting.http.get('/.well-known/jwks.json').expect(200)
    const verifier = createVerifier({
      keys: createJwks(() => Promise.resolve(jwks)),
      ...{ issuer: 'https://waybill.local', audiences: ['data_store', 'waybill'] },
      ...{ skewSeconds: 0, maxLifetimeSeconds: 86_400, cacheSize: 0 },
    })
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'invalid_token' })
    await verifier.verify(atDataStore)
    await setting.token('data_store', form(token, 'supabase')).expect(400)
  })

  it('has the audience that the project asks for', async () => {
    const { app } = await setting.another({ SUPABASE_AUDIENCE: 'authenticated' })
    const request = supertest(app).post('/oauth/token').type('form')
    const { body } = await request
      .set('Authorization', basic('data_store', secretOf('data_store')))
      .send(form(atDataStore, 'supabase'))
      .expect(200)
    expect(claimsOf(String(body.access_token)).aud).toBe('authenticated')
  })
})
