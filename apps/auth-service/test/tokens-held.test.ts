import { createTestIssuer } from '@waybill/dev-env/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACCESS_TOKEN, claimsOf, EXCHANGE, OUTSIDERS, startSetting } from './setting.ts'
import type { Session, Setting } from './setting.ts'

const API_KEY = 'urn:waybill:params:oauth:token-type:api-key'

let setting: Setting
let user: Session
/** What is added to the clock of the service, in milliseconds. */
let ahead = 0
/** Where that clock stands still, in milliseconds since the epoch. */
let standing: number | undefined
beforeAll(async () => {
  setting = await startSetting({}, { now: () => standing ?? Date.now() + ahead })
  user = await setting.newUser()
})
afterAll(() => setting.close())

const introspect = async (token: string, client = 'gateway') =>
  (await setting.post(client, '/oauth/introspect', { token }).expect(200)).body as Record<string, unknown>
const revoke = (token: string, client = 'gateway', more = {}) =>
  setting.post(client, '/oauth/revoke', { token, ...more })
const me = (token: string) => setting.http.get('/auth/me').set('Authorization', `Bearer ${token}`)
const INACTIVE = { active: false }

async function newKey(owner: Session, permissions: string[]): Promise<{ key_id: string; api_key: string }> {
  const { body } = await setting.http
    .post('/auth/api-keys')
    .set('Authorization', `Bearer ${owner.access_token}`)
    .send({ name: 'a key', permissions })
    .expect(201)
  return body as { key_id: string; api_key: string }
}

describe('introspection (RFC 7662)', () => {
  it('tells the claims of an access token', async () => {
    expect(await introspect(user.access_token)).toEqual({
      active: true,
      token_type: 'access_token',
      ...claimsOf(user.access_token),
    })
  })

  it('tells of a service’s token and of one on behalf of a user to whom it is for', async () => {
    const own = await setting.token('gateway', { grant_type: 'client_credentials', audience: 'docling' })
    expect(await introspect(own.body.access_token, 'docling')).toMatchObject({
      ...{ active: true, principal: 'service', sub: 'gateway' },
    })
    const behalf = await setting.exchange('gateway', 'docling', user.access_token)
    const { act } = claimsOf(behalf.body.access_token)
    expect(await introspect(behalf.body.access_token, 'docling')).toMatchObject({ active: true, act })
  })

  it('tells what an API key allows, without a word that only tokens have', async () => {
    const { key_id, api_key } = await newKey(user, ['memory.read'])
    const answer = await introspect(api_key)
    expect(answer).toMatchObject({
      ...{ active: true, token_type: 'api_key', key_id, sub: user.user_id, principal: 'user' },
      ...{ scope: 'memory.read', role: 'user', tier: 'standard', iss: 'https://waybill.local' },
    })
    expect(Object.keys(answer)).not.toEqual(expect.arrayContaining(['sid']))
    expect(answer.exp).toBeGreaterThan(Date.now() / 1000 + 29 * 86_400)
  })

  it('tells of a refresh token without using it up', async () => {
    const held = await setting.newUser()
    const { sid } = claimsOf(held.access_token)
    expect(await introspect(held.refresh_token)).toMatchObject({
      ...{ active: true, token_type: 'refresh_token', sub: held.user_id, sid },
    })
    const next = await setting.refresh(held.refresh_token).expect(200)
    expect(await introspect(held.refresh_token)).toEqual(INACTIVE)
    expect(await introspect(next.body.refresh_token)).toMatchObject({ active: true })
  })

  it('says exactly that it is not active of everything else', async () => {
    const stranger = await createTestIssuer()
    const forAnother = await setting.exchange('gateway', 'docling', user.access_token)
    const texts = [
      'x',
      'a.b.c',
      `rt_${'0'.repeat(36)}_${'A'.repeat(65)}`,
      `wb_${'0'.repeat(36)}`,
      await stranger.userToken(user.user_id),
      forAnother.body.access_token as string,
    ]
    for (const text of texts) expect(await introspect(text, 'data_store')).toEqual(INACTIVE)
  })

  it('says it of an expired token', async () => {
    ahead = 86_400_000 + 60_000
    try {
      expect(await introspect(user.access_token)).toEqual(INACTIVE)
    } finally {
      ahead = 0
    }
  })

  it('says it of what belongs to a session, a key or a user that has been revoked', async () => {
    const gone = await setting.newUser()
    const { api_key, key_id } = await newKey(gone, ['memory.read'])
    const behalf = await setting.exchange('gateway', 'docling', gone.access_token).expect(200)
    await setting.http
      .delete(`/auth/api-keys/${key_id}`)
      .set('Authorization', `Bearer ${gone.access_token}`)
      .expect(204)
    expect(await introspect(api_key)).toEqual(INACTIVE)
    await setting.logOut(gone.access_token).expect(204)
    expect(await introspect(gone.access_token)).toEqual(INACTIVE)
    expect(await introspect(behalf.body.access_token, 'docling')).toEqual(INACTIVE)
    expect(await introspect(gone.refresh_token)).toEqual(INACTIVE)
  })

  it('is for services, and asks for a token', async () => {
    const { body } = await setting.http
      .post('/oauth/introspect')
      .type('form')
      .send({ token: user.access_token })
      .expect(401)
    expect(body).toMatchObject({ error: 'invalid_client' })
    await setting.http
      .post('/oauth/introspect')
      .type('form')
      .set('Authorization', `Bearer ${user.access_token}`)
      .send({ token: user.access_token })
      .expect(401)
    const missing = await setting.post('gateway', '/oauth/introspect', {}).expect(400)
    expect(missing.body.error).toBe('invalid_request')
  })
})

describe('revocation (RFC 7009)', () => {
  it('ends one access token and not its session', async () => {
    const held = await setting.newUser()
    await revoke(held.access_token).expect(200, '')
    expect(await introspect(held.access_token)).toEqual(INACTIVE)
    await setting.exchange('gateway', 'docling', held.access_token).expect(400)
    const { body } = await setting.refresh(held.refresh_token).expect(200)
    await me(body.access_token).expect(200)
    const [row] = await setting.admin(
      `select actor, details from audit where action = 'token.revoke' and resource = $1`,
      [`token/${String(claimsOf(held.access_token).jti)}`],
    )
    expect(row).toEqual({ actor: 'service:gateway', details: { subject: `user:${held.user_id}` } })
  })

  it('of an access token ends what was made from it', async () => {
    const held = await setting.newUser()
    const first = (await setting.exchange('gateway', 'docling', held.access_token).expect(200))
      .body as Session
    const { body } = await setting.exchange('docling', 'llm-proxy', first.access_token).expect(200)
    const second = (body as Session).access_token
    await revoke(held.access_token).expect(200)
    expect(await introspect(first.access_token, 'docling')).toEqual(INACTIVE)
    expect(await introspect(second, 'llm-proxy')).toEqual(INACTIVE)
    await setting.exchange('llm-proxy', 'data_store', second).expect(400)
  })

  it('of a refresh token ends its session with all that was issued for it', async () => {
    const held = await setting.newUser()
    await revoke(held.refresh_token, 'gateway', { token_type_hint: 'access_token' }).expect(200, '')
    await me(held.access_token).expect(401)
    await setting.refresh(held.refresh_token).expect(401)
    const [row] = await setting.admin(
      `select actor, outcome from audit where action = 'session.revoke' and details->>'user' = $1`,
      [held.user_id],
    )
    expect(row).toEqual({ actor: 'service:gateway', outcome: 'success' })
  })

  it('of what was issued to the service, for another, is its right; of anything else it is not', async () => {
    const behalf = await setting.exchange('gateway', 'docling', user.access_token).expect(200)
    const { access_token } = behalf.body as Session
    const { body } = await revoke(access_token, 'data_store').expect(400)
    expect(body.error).toBe('unauthorized_client')
    expect(await introspect(access_token, 'docling')).toMatchObject({ active: true })
    await revoke(access_token, 'gateway').expect(200, '')
    expect(await introspect(access_token, 'docling')).toEqual(INACTIVE)
  })

  it.each(['x', 'a.b.c', `rt_${'0'.repeat(36)}_${'A'.repeat(65)}`])(
    'of nothing known (%s) is a success',
    async (token) => {
      await revoke(token).expect(200, '')
    },
  )

  it('of an API key is its owner’s', async () => {
    const { api_key } = await newKey(user, ['memory.read'])
    const { body } = await revoke(api_key).expect(400)
    expect(body.error).toBe('unsupported_token_type')
    expect(await introspect(api_key)).toMatchObject({ active: true })
  })

  it('is for services', async () => {
    await setting.http.post('/oauth/revoke').type('form').send({ token: user.access_token }).expect(401)
    await me(user.access_token).expect(200)
  })
})

describe('a client that is no service of the platform', () => {
  it.each(OUTSIDERS)('is told nothing of what users hold, and takes none of it back (%s)', async (client) => {
    const held = await setting.newUser()
    const { api_key } = await newKey(held, ['memory.read'])
    for (const token of [held.access_token, held.refresh_token, api_key])
      expect(await introspect(token, client)).toEqual(INACTIVE)
    for (const token of [held.access_token, held.refresh_token]) {
      const { body } = await revoke(token, client).expect(400)
      expect(body.error).toBe('unauthorized_client')
    }
    await me(held.access_token).expect(200)
    await setting.refresh(held.refresh_token).expect(200)
  })

  it('is answered as everybody else for what is no token', async () => {
    expect(await introspect('x', 'reporting')).toEqual(INACTIVE)
    await revoke('x', 'reporting').expect(200, '')
  })
})

describe('the exchange of an API key (RFC 8693)', () => {
  const exchange = (apiKey: string, more: Record<string, string> = {}, client = 'gateway') =>
    setting.token(client, {
      ...{ grant_type: EXCHANGE, audience: 'llm-proxy', subject_token: apiKey, subject_token_type: API_KEY },
      ...more,
    })

  it('gives a token of the user that names the key and no session', async () => {
    const { key_id, api_key } = await newKey(user, ['memory.read', 'agents.query'])
    const { body } = await exchange(api_key).expect(200)
    expect(body).toMatchObject({ scope: 'memory.read agents.query', issued_token_type: ACCESS_TOKEN })
    const claims = claimsOf(body.access_token)
    expect(claims).toMatchObject({
      ...{ sub: user.user_id, key_id, principal: 'user', role: 'user', tier: 'standard' },
      ...{
        aud: 'llm-proxy',
        client_id: 'gateway',
        act: { sub: 'gateway' },
        scope: 'memory.read agents.query',
      },
    })
    expect(claims).not.toHaveProperty('sid')
    expect(Number(claims.exp) - Number(claims.iat)).toBe(300)
    const next = await setting.exchange('llm-proxy', 'data_store', body.access_token).expect(200)
    expect(claimsOf(next.body.access_token)).toMatchObject({ key_id, scope: 'memory.read' })
  })

  it('gives no more than the key has', async () => {
    const { api_key } = await newKey(user, ['memory.read'])
    const { body } = await exchange(api_key, { scope: 'memory.write' }).expect(400)
    expect(body.error).toBe('invalid_scope')
  })

  it('is refused for a revoked key, one that nobody has, and under another type', async () => {
    const owner = await setting.newUser()
    const { key_id, api_key } = await newKey(owner, ['memory.read'])
    const before = await exchange(api_key).expect(200)
    const asToken = await exchange(api_key, { subject_token_type: ACCESS_TOKEN }).expect(400)
    expect(asToken.body.error).toBe('invalid_grant')
    await exchange(owner.access_token).expect(400)
    await exchange(`wb_${'0'.repeat(36)}`).expect(400)
    await setting.http
      .delete(`/auth/api-keys/${key_id}`)
      .set('Authorization', `Bearer ${owner.access_token}`)
      .expect(204)
    const { body } = await exchange(api_key).expect(400)
    expect(body.error).toBe('invalid_grant')
    expect(JSON.stringify(body)).not.toContain(api_key)
    // What was made of it before goes with it.
    const again = await setting.exchange('llm-proxy', 'data_store', before.body.access_token).expect(400)
    expect(again.body.error).toBe('invalid_grant')
  })

  it.each([
    'urn:ietf:params:oauth:token-type:refresh_token',
    'urn:ietf:params:oauth:token-type:id_token',
    'urn:ietf:params:oauth:token-type:saml2',
  ])('a subject of the type %s is refused', async (subject_token_type) => {
    const { body } = await exchange(user.refresh_token, { subject_token_type }).expect(400)
    expect(body.error).toBe('invalid_request')
  })
})

describe('a change of the user', () => {
  const change = async (userId: string, body: Record<string, unknown>) => {
    const admin = await setting.newAdmin()
    await setting.http
      .patch(`/auth/admin/users/${userId}`)
      .set('Authorization', `Bearer ${admin.access_token}`)
      .send(body)
      .expect(200)
  }

  it('ends the tokens from before it, and none that is issued in the same second after it', async () => {
    const changed = await setting.newUser()
    const { api_key } = await newKey(changed, ['memory.read', 'memory.write'])
    await change(changed.user_id, { role: 'viewer' })
    await setting.exchange('gateway', 'docling', changed.access_token).expect(400)
    expect(await introspect(changed.access_token)).toEqual(INACTIVE)
    const { body } = await setting.logIn(changed.username).expect(200)
    expect(claimsOf(body.access_token).role).toBe('viewer')
    expect(await introspect(body.access_token)).toMatchObject({ active: true, role: 'viewer' })
    const behalf = await setting.exchange('gateway', 'llm-proxy', body.access_token).expect(200)
    expect(await introspect(behalf.body.access_token, 'llm-proxy')).toMatchObject({ active: true })
    const byKey = await setting.token('gateway', {
      ...{ grant_type: EXCHANGE, audience: 'llm-proxy', subject_token: api_key, subject_token_type: API_KEY },
    })
    expect(byKey.body.scope).toBe('memory.read')
    expect(await introspect(byKey.body.access_token, 'llm-proxy')).toMatchObject({ active: true })
  })
  it('ends what was issued between it and the change before, all in one second', async () => {
    const promoted = await setting.newUser()
    const admin = await setting.newAdmin()
    const makeIt = (role: string) =>
      setting.http
        .patch(`/auth/admin/users/${promoted.user_id}`)
        .set('Authorization', `Bearer ${admin.access_token}`)
        .send({ role })
        .expect(200)
    standing = Date.now()
    try {
      await makeIt('admin')
      const between = (await setting.logIn(promoted.username).expect(200)).body as Session
      await me(between.access_token).expect(200)
      const byKey = await newKey(between, ['auth.admin'])
      await makeIt('user')
      expect(await introspect(between.access_token)).toEqual(INACTIVE)
      await setting.exchange('gateway', 'docling', between.access_token).expect(400)
      expect((await introspect(byKey.api_key)).scope).toBe('')
      const after = (await setting.logIn(promoted.username).expect(200)).body as Session
      await me(after.access_token).expect(200)
      expect(await introspect(after.access_token)).toMatchObject({ active: true, role: 'user' })
    } finally {
      standing = undefined
    }
  })
})
