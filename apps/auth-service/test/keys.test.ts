import { randomBytes } from 'node:crypto'
import { createJwks, createVerifier } from '@waybill/auth'
import { startTestPostgres } from '@waybill/dev-env'
import type { TestPostgres } from '@waybill/dev-env'
import { createTestIssuer } from '@waybill/dev-env/testing'
import { loadConfig } from '@waybill/service-kit'
import type { Service } from '@waybill/service-kit'
import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createApp } from '../src/app.ts'
import { configSchema } from '../src/config.ts'
import { generateSealedKey } from '../src/keys/signing-key.ts'
import { basic, environmentOn, PASSWORD, secretOf, startSetting } from './setting.ts'
import type { Session, Setting } from './setting.ts'

interface Jwks {
  keys: { kid: string }[]
}

const jwksOf = async (service: Service): Promise<Jwks> =>
  (await supertest(service.app).get('/.well-known/jwks.json').expect(200)).body as Jwks
const kidsOf = async (service: Service): Promise<string[]> =>
  (await jwksOf(service)).keys.map(({ kid }) => kid)

const kidOf = (token: string): string =>
  (JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: string }).kid

describe('signing keys', () => {
  let setting: Setting
  beforeAll(async () => {
    setting = await startSetting()
  })
  afterAll(() => setting.close())

  it('are published with their public half only, the one that signs and the one that will', async () => {
    const published = {
      kty: 'EC',
      crv: 'P-256',
      x: expect.any(String),
      y: expect.any(String),
      kid: expect.stringMatching(/^[\w-]{43}$/),
      alg: 'ES256',
      use: 'sig',
    }
    expect(await jwksOf(setting.service)).toEqual({ keys: [published, published] })
  })

  it('survive a restart, and so do the tokens', async () => {
    const { access_token } = await setting.newUser()
    const service = await setting.another()
    expect(await jwksOf(service)).toEqual(await jwksOf(setting.service))
    await supertest(service.app).get('/auth/me').set('Authorization', `Bearer ${access_token}`).expect(200)
  })

  it('cannot be read in the database', async () => {
    const [row] = await setting.admin('select k::text as row, sealed from signing_keys k')
    const sealed = row?.sealed as Buffer
    expect(sealed.toString('latin1')).not.toMatch(/"d"|kty|P-256|PRIVATE/)
    expect(String(row?.row)).not.toContain(Buffer.from('"d"').toString('hex'))
  })

  it('do not open with another encryption key, which the message names without quoting it', async () => {
    const SIGNING_KEY_ENCRYPTION_KEY = randomBytes(32).toString('base64')
    const start = setting.another({ SIGNING_KEY_ENCRYPTION_KEY })
    await expect(start).rejects.toThrow(/^SIGNING_KEY_ENCRYPTION_KEY does not open/)
    await expect(start).rejects.not.toThrow(SIGNING_KEY_ENCRYPTION_KEY)
  })

  it('that somebody has written into the table are not believed', async () => {
    const theirs = await generateSealedKey(randomBytes(32))
    await setting.admin(
      `insert into signing_keys (kid, alg, state, sealed) values ($1, 'ES256', 'retired', $2)`,
      [theirs.kid, theirs.sealed],
    )
    await expect(setting.another()).rejects.toThrow('does not open')
    await setting.admin('delete from signing_keys where kid = $1', [theirs.kid])
  })

  it('do not open under the name of another key', async () => {
    await setting.admin(
      `insert into signing_keys (kid, alg, state, sealed)
       select 'renamed', alg, 'retired', sealed from signing_keys where state = 'current'`,
    )
    await expect(setting.another()).rejects.toThrow('signing key renamed')
    await setting.admin(`delete from signing_keys where kid = 'renamed'`)
  })
})

describe('the rotation of signing keys', () => {
  let setting: Setting
  let other: Service
  let admin: Session & { username: string }
  beforeAll(async () => {
    setting = await startSetting({ SIGNING_KEY_PUBLISH_SECONDS: '0', SIGNING_KEY_RELOAD_SECONDS: '1' })
    other = await setting.another()
    admin = await setting.newAdmin()
  })
  afterAll(() => setting.close())

  const ask = (method: 'get' | 'post' | 'delete', path: string, service: Service = setting.service) => {
    const http = supertest(service.app)
    return http[method](`/auth/admin/keys${path}`).set('Authorization', `Bearer ${admin.access_token}`)
  }
  const keys = async (): Promise<{ kid: string; state: string }[]> => {
    const { body } = await ask('get', '').expect(200)
    return (body as { keys: { kid: string; state: string }[] }).keys
  }
  /** The tokens of a key that is gone are refused, those of the administrator like all others. */
  const logInAgain = async (): Promise<void> => {
    const { body } = await setting.logIn(admin.username).expect(200)
    admin = { ...(body as Session), username: admin.username }
  }
  const inState = async (state: string): Promise<string[]> =>
    (await keys()).filter((key) => key.state === state).map(({ kid }) => kid)

  it('makes the next one sign and publishes another, while the last one still verifies', async () => {
    const [current] = await inState('current')
    const [next] = await inState('next')
    expect(kidOf(admin.access_token)).toBe(current)
    await ask('post', '/rotate').expect(200)
    expect(await inState('current')).toEqual([next])
    expect(await inState('retired')).toContain(current)
    expect(await inState('next')).toHaveLength(1)
    expect(kidOf((await setting.newUser()).access_token)).toBe(next)
    await ask('get', '').expect(200) // with a token of the retired key
    expect(await kidsOf(setting.service)).toEqual(expect.arrayContaining([current, next]))
    const [row] = await setting.admin(`select actor, details from audit where action = 'signing_key.rotate'`)
    expect(row).toMatchObject({ actor: `user:${admin.user_id}`, details: { retired: current } })
  })

  it('fails no request that two instances and a verifier elsewhere have under way', async () => {
    const user = await setting.newUser()
    const verifier = createVerifier({
      keys: createJwks(() => jwksOf(other), { maxAgeMs: 0, cooldownMs: 0 }),
      issuer: 'https://waybill.local',
      audiences: ['waybill'],
      skewSeconds: 30,
      maxLifetimeSeconds: 90_000,
      cacheSize: 10,
    })
    const signedBy = new Set<string>()
    let rotating = true
    const client = async (service: Service): Promise<number> => {
      let requests = 0
      for (let token = user.refresh_token; rotating; requests += 1) {
        const { body } = await supertest(service.app)
          .post('/auth/refresh')
          .send({ refresh_token: token })
          .expect(200)
        const session = body as Session
        token = session.refresh_token
        signedBy.add(kidOf(session.access_token))
        await verifier.verify(session.access_token)
        for (const at of [setting.service, other]) {
          await supertest(at.app)
            .get('/auth/me')
            .set('Authorization', `Bearer ${session.access_token}`)
            .expect(200)
        }
      }
      return requests
    }
    const clients = client(setting.service)
    for (let round = 0; round < 4; round += 1) {
      await ask('post', '/rotate', round % 2 === 0 ? other : setting.service).expect(200)
      const [current] = await inState('current')
      while (!signedBy.has(current!)) await kidsOf(other)
    }
    rotating = false
    expect(await clients).toBeGreaterThan(0)
    expect(signedBy.size).toBeGreaterThan(3)
  })

  it('of a key that has not been published for long enough is refused, and told when', async () => {
    const service = await setting.another({ SIGNING_KEY_PUBLISH_SECONDS: '3600' })
    const before = await keys()
    const { body, headers } = await ask('post', '/rotate', service).expect(409)
    expect(body.detail).toMatch(/may from \d{4}-\d\d-\d\dT/)
    expect(Number(headers['retry-after'])).toBeGreaterThan(3500)
    expect(await keys()).toEqual(before)
  })

  it('by two instances at once is one, unless the key after it may sign as well', async () => {
    await setting.admin(
      `update signing_keys set changed_at = now() - interval '2 hours' where state = 'next'`,
    )
    const [next] = await inState('next')
    const strict = await Promise.all(
      [1, 2].map(() => setting.another({ SIGNING_KEY_PUBLISH_SECONDS: '3600' })),
    )
    const answers = await Promise.all(strict.map((service) => ask('post', '/rotate', service)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409])
    expect(await inState('current')).toEqual([next])
  })

  it('happens by itself when its time has come, once for all instances', async () => {
    await setting.admin(
      `update signing_keys set changed_at = now() - interval '3 hours' where state in ('current', 'next')`,
    )
    const [next] = await inState('next')
    const hourly = { SIGNING_KEY_ROTATION_HOURS: '1', SIGNING_KEY_PUBLISH_SECONDS: '3600' }
    await Promise.all([1, 2, 3].map(() => setting.another(hourly)))
    expect(await inState('current')).toEqual([next])
    const [row] = await setting.admin(
      `select actor from audit where action = 'signing_key.rotate' order by id desc limit 1`,
    )
    expect(row?.actor).toBe('service:auth-service')
  })

  it('is the act of the service itself, whoever’s request it was that found its time to have come', async () => {
    const hourly = { SIGNING_KEY_ROTATION_HOURS: '1', SIGNING_KEY_PUBLISH_SECONDS: '3600' }
    const instance = await setting.another({ ...hourly, SIGNING_KEY_RELOAD_SECONDS: '60' })
    await setting.admin(
      `update signing_keys set changed_at = now() - interval '3 hours' where state in ('current', 'next')`,
    )
    const stranger = await createTestIssuer()
    const [before] = await setting.admin('select max(seq)::int as seq from audit')
    await supertest(instance.app)
      .get('/auth/me')
      .set('Authorization', `Bearer ${await stranger.userToken('somebody')}`)
      .expect(401)
    const rows = await setting.admin(
      `select actor from audit where action = 'signing_key.rotate' and seq > $1`,
      [before!.seq],
    )
    expect(rows).toEqual([{ actor: 'service:auth-service' }])
  })

  it('keeps a retired key for as long as its tokens may live, and no longer', async () => {
    await logInAgain()
    const [retired] = await inState('retired')
    const age = (seconds: number) =>
      setting.admin(`update signing_keys set changed_at = now() - make_interval(secs => $1) where kid = $2`, [
        seconds,
        retired,
      ])
    await age(25 * 3600)
    expect(await kidsOf(await setting.another())).toContain(retired)
    await age(25 * 3600 + 120)
    expect(await kidsOf(await setting.another())).not.toContain(retired)
    expect((await keys()).map(({ kid }) => kid)).not.toContain(retired)
  })

  it('revokes a key at once: it is gone, and so is what it has signed', async () => {
    await logInAgain()
    await ask('post', '/rotate').expect(200)
    const user = await setting.newUser()
    const kid = kidOf(user.access_token)
    const [next] = await inState('next')
    await setting.http.get('/auth/me').set('Authorization', `Bearer ${user.access_token}`).expect(200)
    await ask('delete', `/${kid}`).expect(200)
    await logInAgain()
    await setting.http.get('/auth/me').set('Authorization', `Bearer ${user.access_token}`).expect(401)
    expect(await kidsOf(setting.service)).not.toContain(kid)
    expect(await inState('current')).toEqual([next])
    expect(await inState('next')).toHaveLength(1)
    expect(kidOf((await setting.newUser()).access_token)).toBe(next)
    const [row] = await setting.admin('select length(sealed) as length from signing_keys where kid = $1', [
      kid,
    ])
    expect(row?.length).toBe(0)
    await ask('delete', `/${kid}`).expect(409)
    await ask('delete', '/unknown').expect(404)
  })

  it('tells every service, and an instance that has not read the keys again signs with it no more', async () => {
    await logInAgain()
    const slow = await setting.another({ SIGNING_KEY_RELOAD_SECONDS: '60' })
    const [kid] = await inState('current')
    await ask('delete', `/${kid}`).expect(200)
    await logInAgain()
    const feed = await setting.http
      .get('/oauth/revocations')
      .set('Authorization', basic('docling', secretOf('docling')))
      .expect(200)
    expect(feed.body.revocations).toContainEqual({
      ...{ kind: 'signing_key', id: kid, expires_at: expect.any(Number) },
    })
    await vi.waitUntil(async () => !(await kidsOf(slow)).includes(kid!), { timeout: 10_000 })
    const again = await supertest(slow.app)
      .post('/auth/login')
      .send({ username: admin.username, password: PASSWORD })
      .expect(200)
    expect(kidOf((again.body as Session).access_token)).not.toBe(kid)
  })

  it('finds, for a token that it does not know the key of, the one that another instance has made', async () => {
    await ask('post', '/rotate', other).expect(200)
    const { body } = await supertest(other.app)
      .post('/auth/refresh')
      .send({ refresh_token: (await setting.newUser()).refresh_token })
      .expect(200)
    const { access_token } = body as Session
    await setting.http.get('/auth/me').set('Authorization', `Bearer ${access_token}`).expect(200)
  })

  it('is for administrators', async () => {
    const { access_token } = await setting.newUser()
    for (const [method, path] of [
      ['get', ''],
      ['post', '/rotate'],
      ['delete', '/x'],
    ] as const) {
      await setting.http[method](`/auth/admin/keys${path}`).expect(401)
      await setting.http[method](`/auth/admin/keys${path}`)
        .set('Authorization', `Bearer ${access_token}`)
        .expect(403)
    }
  })
})

describe('with a secret that all services share (HS256)', () => {
  let setting: Setting
  const HS256 = { JWT_ALGORITHM: 'HS256', JWT_SECRET: randomBytes(32).toString('base64') }
  beforeAll(async () => {
    setting = await startSetting(HS256)
  })
  afterAll(() => setting.close())

  it('tokens are signed with it, and no key is published', async () => {
    const { access_token } = await setting.newUser()
    const head = JSON.parse(Buffer.from(access_token.split('.')[0]!, 'base64url').toString()) as unknown
    expect(head).toEqual({ typ: 'at+jwt', alg: 'HS256', kid: expect.any(String) })
    await setting.http.get('/auth/me').set('Authorization', `Bearer ${access_token}`).expect(200)
    expect(await jwksOf(setting.service)).toEqual({ keys: [] })
    await setting.exchange('gateway', 'docling', access_token).expect(200)
  })

  it('there is nothing to rotate', async () => {
    const admin = await setting.newAdmin()
    const as = { Authorization: `Bearer ${admin.access_token}` }
    await setting.http.post('/auth/admin/keys/rotate').set(as).expect(409)
    await setting.http.delete('/auth/admin/keys/x').set(as).expect(409)
    await setting.http.get('/auth/admin/keys').set(as).expect(200, { keys: [] })
  })

  it('a service without the secret does not start', async () => {
    await expect(setting.another({ JWT_SECRET: '' })).rejects.toThrow('JWT_SECRET')
    await expect(setting.another({ JWT_SECRET: 'short' })).rejects.toThrow('JWT_SECRET')
  })
})

describe('the first start', () => {
  let postgres: TestPostgres
  beforeAll(async () => {
    postgres = await startTestPostgres('auth-service')
  })
  afterAll(() => postgres.close())

  it('of six instances at once on an empty database makes one key that signs and one that comes after it', async () => {
    const config = loadConfig(configSchema, environmentOn(postgres))
    const services = Array.from({ length: 6 }, () => createApp(config))
    await Promise.all(services.map((service) => service.start()))
    const documents = await Promise.all(services.map(jwksOf))
    expect(new Set(documents.map((document) => JSON.stringify(document))).size).toBe(1)
    expect(documents[0]?.keys).toHaveLength(2)
    await Promise.all(services.map((service) => service.close()))
  })
})
