import { createHash } from 'node:crypto'
import { createJwks, createVerifier } from '@waybill/auth'
import { createTestIssuer } from '@waybill/dev-env/testing'
import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACCESS_TOKEN, basic, claimsOf, EXCHANGE, secretOf, startSetting } from './setting.ts'
import type { Session, Setting } from './setting.ts'

const DAY_MS = 86_400_000

let setting: Setting
let user: Session
/** What is added to the clock of the service, in milliseconds. */
let ahead = 0
beforeAll(async () => {
  setting = await startSetting({}, { now: () => Date.now() + ahead })
  user = await setting.newUser()
})
afterAll(() => setting.close())

const CREDENTIALS = { grant_type: 'client_credentials', audience: 'auth-service' }

async function verifierFor(audience: string) {
  const { body } = await setting.http.get('/.well-known/jwks.json').expect(200)
  return createVerifier({
    keys: createJwks(() => Promise.resolve(body)),
    issuer: 'https://waybill.local',
    audiences: [audience],
    skewSeconds: 0,
    maxLifetimeSeconds: 86_400,
    cacheSize: 0,
  })
}

describe('client credentials (RFC 6749 section 4.4)', () => {
  it('give a service a token in its own name, for one audience, for five minutes', async () => {
    const { body, headers } = await setting.token('gateway', CREDENTIALS).expect(200)
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 300,
      scope: '',
    })
    expect(headers['cache-control']).toContain('no-store')
    const claims = await (await verifierFor('auth-service')).verify(body.access_token)
    expect(claims).toMatchObject({ sub: 'gateway', client_id: 'gateway', principal: 'service', scope: '' })
    expect(claims.act).toBeUndefined()
  })

  it.each([
    ['no audience', 'gateway', { audience: '' }, 'invalid_request'],
    ['an audience that it does not call', 'gateway', { audience: 'substrate-api' }, 'invalid_target'],
    ['an audience that nobody is', 'gateway', { audience: 'constructor' }, 'invalid_target'],
    ['itself', 'gateway', { audience: 'gateway' }, 'invalid_target'],
    ['an audience, being called by all and calling none', 'substrate-api', {}, 'invalid_target'],
    ['permissions', 'gateway', { scope: 'memory.read' }, 'invalid_scope'],
    ['a workspace, which it knows nothing of', 'gateway', { workspace_id: 'w1' }, 'invalid_request'],
    ['another grant', 'gateway', { grant_type: 'password' }, 'unsupported_grant_type'],
    ['no grant', 'gateway', { grant_type: '' }, 'invalid_request'],
  ])('asking for %s is refused', async (_, client, change, error) => {
    const { body, headers } = await setting.token(client, { ...CREDENTIALS, ...change }).expect(400)
    expect(body).toEqual({ error, error_description: expect.any(String), request_id: expect.any(String) })
    expect(headers['content-type']).toContain('application/json')
    expect(headers['cache-control']).toContain('no-store')
  })

  it('the service that knows the memberships may name a workspace', async () => {
    const form = { ...CREDENTIALS, audience: 'substrate-api', workspace_id: 'w1' }
    const { body } = await setting.token('work-platform', form).expect(200)
    expect(claimsOf(body.access_token)).toMatchObject({ sub: 'work-platform', workspace_id: 'w1' })
  })
})

describe('client authentication (RFC 6749 section 2.3)', () => {
  const post = (form: object, authorization?: string) => {
    const request = setting.http.post('/oauth/token').type('form')
    if (authorization !== undefined) void request.set('Authorization', authorization)
    return request.send(form)
  }

  it('works in the form as it does in the header', async () => {
    await post({ ...CREDENTIALS, client_id: 'gateway', client_secret: secretOf('gateway') }).expect(200)
  })

  it('takes base64 secrets from clients that do not encode them', async () => {
    const secret = 'a+b/c=='
    const SERVICE_CLIENTS = JSON.stringify({ gateway: createHash('sha256').update(secret).digest('hex') })
    const service = await setting.another({ SERVICE_CLIENTS })
    const authorization = `Basic ${Buffer.from(`gateway:${secret}`).toString('base64')}`
    const request = supertest(service.app).post('/oauth/token').type('form')
    await request.set('Authorization', authorization).send(CREDENTIALS).expect(200)
  })

  it('takes both secrets of a service while one replaces the other', async () => {
    const hashes = ['old', 'new'].map((secret) => createHash('sha256').update(secret).digest('hex'))
    const service = await setting.another({ SERVICE_CLIENTS: JSON.stringify({ gateway: hashes }) })
    for (const [secret, status] of [
      ['old', 200],
      ['new', 200],
      ['other', 401],
    ] as const) {
      const request = supertest(service.app).post('/oauth/token').type('form')
      await request.set('Authorization', basic('gateway', secret)).send(CREDENTIALS).expect(status)
    }
  })

  it('says the same of an unknown service and a wrong secret, with a challenge', async () => {
    const wrong = await post(CREDENTIALS, basic('gateway', 'wrong')).expect(401)
    const unknown = await post(CREDENTIALS, basic('nobody', secretOf('gateway'))).expect(401)
    expect({ ...wrong.body, request_id: '' }).toEqual({ ...unknown.body, request_id: '' })
    expect(wrong.body.error).toBe('invalid_client')
    for (const { headers } of [wrong, unknown]) expect(headers['www-authenticate']).toMatch(/^Basic realm=/)
  })

  it.each([
    ['none', undefined],
    ['a user’s token', () => `Bearer ${user.access_token}`],
    ['another service’s secret', () => basic('gateway', secretOf('docling'))],
    ['no secret', () => basic('gateway', '')],
    ['a broken percent escape', () => `Basic ${Buffer.from('gateway:%zz').toString('base64')}`],
    ['a prototype’s name', () => basic('__proto__', secretOf('gateway'))],
  ])('%s is no authentication', async (_, authorization) => {
    const { body } = await post(CREDENTIALS, authorization?.()).expect(401)
    expect(body.error).toBe('invalid_client')
  })

  it('that fails stands in the audit, with the name only where there is such a service', async () => {
    const own = { grant_type: 'client_credentials', audience: 'docling' }
    const attempt = (name: string) =>
      setting.http
        .post('/oauth/token')
        .type('form')
        .set('Authorization', basic(name, 'my-pa55word'))
        .send(own)
        .expect(401)
    await attempt('gateway')
    await attempt('my-pa55word-as-a-name')
    await setting.http.get('/oauth/revocations').set('Authorization', 'Basic x').expect(401)
    const rows = await setting.admin(
      `select actor, resource, outcome from audit where action = 'service_client.authenticate' order by seq desc limit 3`,
    )
    expect(rows.map(({ resource }) => resource)).toEqual([
      'service_client/unknown',
      'service_client/unknown',
      'service_client/gateway',
    ])
    expect(rows[0]).toMatchObject({ actor: 'anonymous', outcome: 'denied' })
    expect(JSON.stringify(await setting.admin('select * from audit'))).not.toContain('pa55word')
  })

  it('in two ways at once is refused, as is a client_id that is somebody else', async () => {
    const header = basic('gateway', secretOf('gateway'))
    const twice = await post({ ...CREDENTIALS, client_id: 'gateway', client_secret: 'x' }, header).expect(400)
    expect(twice.body.error).toBe('invalid_request')
    await post({ ...CREDENTIALS, client_id: 'docling' }, header).expect(400)
    await post({ ...CREDENTIALS, client_id: 'gateway' }, header).expect(200)
  })
})

describe('the body of a token request', () => {
  const authorization = basic('gateway', secretOf('gateway'))
  const send = (type: string, text: string) =>
    setting.http.post('/oauth/token').set({ Authorization: authorization, 'Content-Type': type }).send(text)

  it('in JSON is refused, in the shape of OAuth', async () => {
    const { body } = await send('application/json', JSON.stringify(CREDENTIALS)).expect(415)
    expect(body.error).toBe('invalid_request')
  })

  it('that is too large is refused, whether it says so or not', async () => {
    const text = `grant_type=client_credentials&audience=auth-service&x=${'x'.repeat(33 * 1024)}`
    await send('application/x-www-form-urlencoded', text).expect(413)
    const chunked = setting.http.post('/oauth/token').set({
      Authorization: authorization,
      'Content-Type': 'application/x-www-form-urlencoded',
      'Transfer-Encoding': 'chunked',
    })
    chunked.write(text)
    await chunked.expect(413)
  })

  it('with a parameter twice is refused; without a value it counts as absent (RFC 6749 section 3.2)', async () => {
    const form = 'application/x-www-form-urlencoded'
    const text = new URLSearchParams(CREDENTIALS).toString()
    const twice = await send(form, `${text}&audience=docling`).expect(400)
    expect(twice.body.error).toBe('invalid_request')
    await send(form, `${text}&scope=&unknown=1`).expect(200)
  })
})

describe('token exchange (RFC 8693)', () => {
  it('keeps the subject, narrows the audience and nests the actors through three services', async () => {
    const first = await setting.exchange('gateway', 'docling', user.access_token).expect(200)
    expect(first.body).toMatchObject({
      token_type: 'Bearer',
      expires_in: 300,
      issued_token_type: ACCESS_TOKEN,
    })
    const second = await setting.exchange('docling', 'llm-proxy', first.body.access_token).expect(200)
    const third = await setting.exchange('llm-proxy', 'data_store', second.body.access_token).expect(200)
    const claims = await (await verifierFor('data_store')).verify(third.body.access_token)
    expect(claims).toMatchObject({
      sub: user.user_id,
      aud: 'data_store',
      client_id: 'llm-proxy',
      principal: 'user',
      sid: claimsOf(user.access_token).sid,
      scope: 'memory.read memory.write',
      act: { sub: 'llm-proxy', act: { sub: 'docling', act: { sub: 'gateway' } } },
    })
    expect(third.body.scope).toBe('memory.read memory.write')
    expect(claims.exp).toBeLessThanOrEqual(Number(claimsOf(second.body.access_token).exp) + 1)
  })

  it('works for a service behind which there is no user', async () => {
    const own = await setting.token('gateway', { ...CREDENTIALS, audience: 'llm-proxy' }).expect(200)
    const { body } = await setting.exchange('llm-proxy', 'data_store', own.body.access_token).expect(200)
    expect(claimsOf(body.access_token)).toMatchObject({ sub: 'gateway', principal: 'service', scope: '' })
  })

  it('gives no more permissions than asked for, held and allowed to be handed on', async () => {
    const asked = await setting.exchange('gateway', 'llm-proxy', user.access_token, { scope: 'memory.read' })
    expect(asked.body.scope).toBe('memory.read')
    const held = String(claimsOf(user.access_token).scope).split(' ')
    const all = await setting.exchange('gateway', 'llm-proxy', user.access_token, { scope: '*' }).expect(200)
    expect(String(all.body.scope).split(' ').sort()).toEqual(held.sort())
    const again = await setting.exchange('llm-proxy', 'data_store', asked.body.access_token).expect(200)
    expect(again.body.scope).toBe('memory.read')
    const none = await setting.exchange('work-platform', 'substrate-api', user.access_token).expect(200)
    expect(none.body.scope).toBe('')
  })

  it.each([
    ['an audience not on the actor’s list', 'docling', 'data_store', {}, 'invalid_target'],
    ['an audience that nobody is', 'docling', 'https://evil.example', {}, 'invalid_target'],
    ['permissions that the user has not', 'gateway', 'docling', { scope: 'users.manage' }, 'invalid_scope'],
    [
      'permissions that the actor may not hand on',
      'docling',
      'llm-proxy',
      { scope: 'tasks.create' },
      'invalid_scope',
    ],
    [
      'a workspace by one who may not name any',
      'gateway',
      'work-platform',
      { workspace_id: 'w1' },
      'invalid_request',
    ],
    [
      'another actor',
      'gateway',
      'docling',
      { actor_token: 'x', actor_token_type: ACCESS_TOKEN },
      'invalid_request',
    ],
    [
      'another type of token',
      'gateway',
      'docling',
      { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
      'invalid_request',
    ],
    ['a resource', 'gateway', 'docling', { resource: 'https://evil.example' }, 'invalid_request'],
    [
      'a subject of another type',
      'gateway',
      'docling',
      { subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' },
      'invalid_request',
    ],
    ['a scope that is not written as one', 'gateway', 'docling', { scope: 'a  b' }, 'invalid_request'],
  ])('asking for %s is refused', async (_, client, audience, change, error) => {
    const { body } = await setting.exchange(client, audience, user.access_token, change).expect(400)
    expect(body.error).toBe(error)
    expect(body.error_description).toMatch(/^[ !#-[\]-~]+$/)
  })

  it('a workspace named by the service that knows stays in the token', async () => {
    const { body } = await setting
      .exchange('work-platform', 'substrate-api', user.access_token, { workspace_id: 'w1' })
      .expect(200)
    expect(claimsOf(body.access_token)).toMatchObject({ sub: user.user_id, workspace_id: 'w1' })
  })

  describe('refuses as subject', () => {
    const refused = async (client: string, audience: string, subject: string) => {
      const { body } = await setting.exchange(client, audience, subject).expect(400)
      expect(body.error).toBe('invalid_grant')
      expect(JSON.stringify(body)).not.toContain(subject)
    }

    it('a token that was issued for another service', async () => {
      const { body } = await setting.exchange('gateway', 'docling', user.access_token).expect(200)
      await refused('llm-proxy', 'data_store', body.access_token)
    })

    it('a refresh token', () => refused('gateway', 'docling', user.refresh_token))

    it('a token of another issuer’s key', async () => {
      const stranger = await createTestIssuer()
      await refused('gateway', 'docling', await stranger.userToken(user.user_id))
    })

    it('a token with another signature', async () => {
      const [header, payload] = user.access_token.split('.')
      await refused('gateway', 'docling', `${header!}.${payload!}.${'A'.repeat(86)}`)
    })

    it('a token whose algorithm was taken away', async () => {
      const header = Buffer.from('{"alg":"none","typ":"at+jwt","kid":"x"}').toString('base64url')
      await refused('gateway', 'docling', `${header}.${user.access_token.split('.')[1]!}.`)
    })

    it('an expired one', async () => {
      ahead = DAY_MS + 60_000
      try {
        await refused('gateway', 'docling', user.access_token)
      } finally {
        ahead = 0
      }
    })
  })

  it('never outlives the subject token', async () => {
    ahead = DAY_MS - 60_000
    try {
      const { body } = await setting.exchange('gateway', 'docling', user.access_token).expect(200)
      expect(body.expires_in).toBeLessThanOrEqual(60)
    } finally {
      ahead = 0
    }
  })

  it('ends where the chain of actors has grown as long as it may', async () => {
    const { app } = await setting.another({ DELEGATION_MAX_DEPTH: '2' })
    const exchange = (client: string, audience: string, subject: string) =>
      supertest(app)
        .post('/oauth/token')
        .type('form')
        .set('Authorization', basic(client, secretOf(client)))
        .send({ grant_type: EXCHANGE, audience, subject_token: subject, subject_token_type: ACCESS_TOKEN })
    const first = await exchange('gateway', 'docling', user.access_token).expect(200)
    const second = await exchange('docling', 'llm-proxy', first.body.access_token).expect(200)
    const third = await exchange('llm-proxy', 'data_store', second.body.access_token).expect(400)
    expect(third.body.error).toBe('invalid_grant')
  })

  it('the answer to a broken header never holds the secret or the token', async () => {
    const { text } = await setting.http
      .post('/oauth/token')
      .type('form')
      .set('Authorization', basic('gateway', 'planted-canary-secret'))
      .send({ ...CREDENTIALS, subject_token: 'planted-canary-token' })
      .expect(401)
    expect(text).not.toContain('canary')
  })
})
