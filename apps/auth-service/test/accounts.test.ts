import { createJwks, createVerifier } from '@waybill/auth'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimsOf, comparable, PASSWORD, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())

const JOHN = { username: 'john_doe', email: 'john@example.com', password: PASSWORD, full_name: 'John Doe' }

describe('register, log in, me (seed 002)', () => {
  it('the whole of the quick start works as it is written', async () => {
    const registered = await setting.http.post('/auth/register').send(JOHN).expect(201)
    expect(registered.body).toEqual({
      user_id: expect.any(String),
      username: 'john_doe',
      email: 'john@example.com',
      full_name: 'John Doe',
      role: 'user',
      tier: 'standard',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    })

    const login = await setting.logIn('john_doe').expect(200)
    expect(login.headers['cache-control']).toContain('no-store')
    expect(login.body).toEqual({
      access_token: expect.stringMatching(/^eyJ/),
      refresh_token: expect.stringMatching(/^rt_/),
      token_type: 'bearer',
      expires_in: 86_400,
      user_id: registered.body.user_id,
      username: 'john_doe',
      role: 'user',
    })

    const me = await setting.http
      .get('/auth/me')
      .set('Authorization', `Bearer ${login.body.access_token}`)
      .expect(200)
    expect(me.body).toEqual({
      ...registered.body,
      permissions: expect.arrayContaining(['tasks.create', 'memory.write', 'stats.read']),
      session_id: claimsOf(login.body.access_token).sid,
    })
  })

  it('a name is taken in any case of its letters, and so is an e-mail address', async () => {
    for (const change of [
      { username: 'JOHN_doe', email: 'other@example.com' },
      { username: 'other', email: 'John@Example.com' },
    ]) {
      const { body } = await setting.http
        .post('/auth/register')
        .send({ ...JOHN, ...change })
        .expect(409)
      expect(body.code).toBe('conflict')
    }
    await setting.logIn('JOHN@example.COM').expect(200)
    await setting.logIn('John_Doe').expect(200)
  })

  it('twenty who want the same name at once are one user', async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        setting.http
          .post('/auth/register')
          .send({ username: 'wanted', email: `wanted-${at}@example.com`, password: PASSWORD }),
      ),
    )
    expect(all.map(({ status }) => status).sort()).toEqual([201, ...Array.from({ length: 19 }, () => 409)])
  })

  it.each(['role', 'user_id', 'id', 'permissions', 'is_admin', 'password_hash', 'created_at', '__proto__'])(
    'a registration with the member %s is refused and makes nobody (CVE-2025-61928)',
    async (member) => {
      // Written out, because an object literal would set the prototype.
      const text = `{"username":"mallory","email":"m@example.com","password":"${PASSWORD}","${member}":"admin"}`
      const { body } = await setting.http
        .post('/auth/register')
        .set('Content-Type', 'application/json')
        .send(text)
        .expect(400)
      expect(body.code).toBe('validation_failed')
      expect(await setting.admin(`select 1 from users where username = 'mallory'`)).toEqual([])
    },
  )

  it.each([
    ['a password of 7 characters', { password: '1234567' }],
    ['a password of 1025 characters', { password: 'x'.repeat(1025) }],
    ['a username that is an e-mail address', { username: 'john@example.com' }],
    ['a username with a NUL', { username: 'ab\0cd' }],
    ['a username of one letter', { username: 'a' }],
    ['a full name with a NUL', { full_name: 'John\0' }],
    ['an e-mail address that is none', { email: 'john' }],
    ['a number for a password', { password: 12_345_678 }],
  ])('a registration with %s is refused', async (_, change) => {
    await setting.http
      .post('/auth/register')
      .send({ ...JOHN, ...change })
      .expect(400)
  })

  it('the database itself refuses a service that would set a role', async () => {
    const rows = await setting.admin(
      `select has_column_privilege('auth_service', 'users', 'role', 'insert') as insert,
         has_column_privilege('auth_service', 'users', 'role', 'update') as update,
         has_column_privilege('auth_service', 'users', 'disabled_at', 'update') as disable,
         has_column_privilege('auth_service_user', 'users', 'password_hash', 'select') as hash`,
    )
    expect(rows).toEqual([{ insert: false, update: false, disable: false, hash: false }])
  })
})

describe('passwords', () => {
  it('are kept as argon2id with 19 MiB, two passes and one lane', async () => {
    const { username } = await setting.newUser()
    const [row] = await setting.admin('select password_hash from users where username = $1', [username])
    expect(row?.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  })

  it('count to their last character', async () => {
    const password = 'Wxyz'.repeat(256).slice(1)
    await setting.http
      .post('/auth/register')
      .send({ username: 'long', email: 'long@example.com', password: `${password}a` })
      .expect(201)
    await setting.logIn('long', `${password}b`).expect(401)
    await setting.logIn('long', `${password}a`).expect(200)
  })

  it('are the same however an accent was typed (RFC 8265)', async () => {
    await setting.http
      .post('/auth/register')
      .send({ username: 'accent', email: 'accent@example.com', password: 'caf\u00e9 au lait' })
      .expect(201)
    await setting.logIn('accent', 'cafe\u0301 au lait').expect(200)
  })
})

describe('a login that fails', () => {
  it.each([
    ['wrong', 'not the password'],
    ['empty', ''],
    ['as long as can be', 'x'.repeat(1024)],
  ])('says the same of a known and an unknown name when the password is %s', async (_, password) => {
    const { username } = await setting.newUser()
    const known = await setting.logIn(username, password).expect(401)
    const unknown = await setting.logIn('nobody-of-this-name', password).expect(401)
    const byMail = await setting.logIn('nobody@example.com', password).expect(401)
    expect(comparable(known.body)).toEqual(comparable(unknown.body))
    expect(comparable(known.body)).toEqual(comparable(byMail.body))
    expect(known.headers['www-authenticate']).toBe(unknown.headers['www-authenticate'])
    expect(known.body).toMatchObject({ code: 'invalid_credentials', status: 401 })
  })

  it('with a password that is too long is refused before anybody is looked up', async () => {
    const { username } = await setting.newUser()
    for (const name of [username, 'nobody']) {
      const { body } = await setting.logIn(name, 'x'.repeat(1025)).expect(400)
      expect(body.code).toBe('validation_failed')
    }
  })

  it('is audited, without the name that was typed where nobody has it', async () => {
    const { user_id: id, username } = await setting.newUser()
    await setting.logIn(username, 'wrong')
    await setting.logIn('my-pa55word-by-mistake', 'wrong')
    const rows = await setting.admin(
      `select actor, resource, outcome from audit where action = 'session.login' order by id desc limit 2`,
    )
    expect(rows).toEqual([
      { actor: 'anonymous', resource: 'user/unknown', outcome: 'denied' },
      { actor: 'anonymous', resource: `user/${id}`, outcome: 'denied' },
    ])
    expect(JSON.stringify(await setting.admin('select * from audit'))).not.toContain('pa55word')
  })
})

describe('an access token', () => {
  it('verifies through the real JWKS document, and says who, for what and until when (RFC 9068)', async () => {
    const session = await setting.newUser()
    const document = await setting.http.get('/.well-known/jwks.json').expect(200)
    expect(document.headers['cache-control']).toBe('public, max-age=60')
    const verifier = createVerifier({
      keys: createJwks(() => Promise.resolve(document.body)),
      issuer: 'https://waybill.local',
      audiences: ['waybill'],
      skewSeconds: 0,
      maxLifetimeSeconds: 86_400,
      cacheSize: 0,
    })
    const claims = await verifier.verify(session.access_token)
    expect(claims).toMatchObject({
      sub: session.user_id,
      aud: 'waybill',
      client_id: 'waybill',
      principal: 'user',
      role: 'user',
      email: `${session.username}@example.test`,
      sid: expect.any(String),
      nbf: claims.iat,
      exp: claims.iat + 86_400,
      scope: expect.stringContaining('memory.read'),
    })
  })

  it('never outlives its session', async () => {
    const { refresh_token, user_id } = await setting.newUser()
    await setting.admin(`update sessions set expires_at = now() + interval '1 hour' where user_id = $1`, [
      user_id,
    ])
    const { body } = await setting.refresh(refresh_token).expect(200)
    expect(body.expires_in).toBeLessThanOrEqual(3600)
    await setting.admin(`update sessions set expires_at = now() where user_id = $1`, [user_id])
    await setting.refresh(body.refresh_token).expect(401)
    await setting.http.get('/auth/me').set('Authorization', `Bearer ${body.access_token}`).expect(401)
  })
})
