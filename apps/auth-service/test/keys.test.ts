import { randomBytes } from 'node:crypto'
import { startTestPostgres } from '@waybill/dev-env'
import type { TestPostgres } from '@waybill/dev-env'
import { loadConfig } from '@waybill/service-kit'
import type { Service } from '@waybill/service-kit'
import supertest from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../src/app.ts'
import { configSchema } from '../src/config.ts'
import { generateSealedKey } from '../src/signing-key.ts'
import { environmentOn, startSetting } from './setting.ts'
import type { Setting } from './setting.ts'

const jwksOf = async (service: Service): Promise<unknown> =>
  (await supertest(service.app).get('/.well-known/jwks.json').expect(200)).body

describe('signing keys', () => {
  let setting: Setting
  beforeAll(async () => {
    setting = await startSetting()
  })
  afterAll(() => setting.close())

  it('are published with their public half only', async () => {
    expect(await jwksOf(setting.service)).toEqual({
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          x: expect.any(String),
          y: expect.any(String),
          kid: expect.stringMatching(/^[\w-]{43}$/),
          alg: 'ES256',
          use: 'sig',
        },
      ],
    })
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
      `insert into signing_keys (kid, alg, state, sealed) select 'renamed', alg, 'retired', sealed from signing_keys`,
    )
    await expect(setting.another()).rejects.toThrow('signing key renamed')
    await setting.admin(`delete from signing_keys where kid = 'renamed'`)
  })

  it('that are revoked are not published, and verify nothing', async () => {
    const { access_token } = await setting.newUser()
    await setting.admin(`update signing_keys set state = 'revoked'`)
    const service = await setting.another()
    const { keys } = (await jwksOf(service)) as { keys: { kid: string }[] }
    expect(keys).toHaveLength(1)
    await supertest(service.app).get('/auth/me').set('Authorization', `Bearer ${access_token}`).expect(401)
  })
})

describe('the first start', () => {
  let postgres: TestPostgres
  beforeAll(async () => {
    postgres = await startTestPostgres('auth-service')
  })
  afterAll(() => postgres.close())

  it('of six instances at once on an empty database makes one key', async () => {
    const config = loadConfig(configSchema, environmentOn(postgres))
    const services = Array.from({ length: 6 }, () => createApp(config))
    await Promise.all(services.map((service) => service.start()))
    const documents = await Promise.all(services.map(jwksOf))
    expect(new Set(documents.map((document) => JSON.stringify(document))).size).toBe(1)
    await Promise.all(services.map((service) => service.close()))
  })
})
