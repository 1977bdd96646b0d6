import { ConfigError, createLogger, loadConfig } from '@waybill/service-kit'
import type { Principal } from '@waybill/service-kit'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import {
  authEnv,
  createServiceAuth,
  serviceSecretHashes,
  sharedKey,
  sharedKeyOf,
  signAccessToken,
} from '../src/index.ts'
import type { ServiceAuth } from '../src/index.ts'
import { CLAIMS, forgeHmac, PEM } from './forge.ts'
import { StandInIssuer } from './stand-in.ts'

const SECRET = 'W3tcVq0yJ8mZk5RgXn2BfLd9HsPa7Ue4'
const schema = z.object(authEnv)
const configured = (environment: NodeJS.ProcessEnv = {}): z.output<typeof schema> =>
  loadConfig(schema, environment)

type Options = Parameters<typeof createServiceAuth>[0]

const open: ServiceAuth[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((auth) => auth.close()))
})
const serve = (options: Pick<Options, 'config'> & Partial<Options>): ServiceAuth => {
  const auth = createServiceAuth({ audiences: ['waybill'], issuer: new StandInIssuer(), ...options })
  open.push(auth)
  return auth
}
const started = async (options: Parameters<typeof serve>[0]): Promise<ServiceAuth> => {
  const auth = serve(options)
  await auth.start(new AbortController().signal)
  return auth
}
const present = async (
  auth: ServiceAuth,
  authorization: string[],
  apiKey: string[] = [],
): Promise<Principal | undefined> =>
  (await auth.credentials.verify({ authorization, apiKey, identity: {} }))?.principal

/** What `ask` is refused with, once the feed, followed in its own time, has told of it. */
async function untilRefused(ask: () => Promise<unknown>): Promise<unknown> {
  for (;;) {
    try {
      await ask()
    } catch (error) {
      return error
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const hs256 = configured({ JWT_ALGORITHM: 'HS256', JWT_SECRET: SECRET })
const grant = {
  claims: { ...CLAIMS, iss: 'https://waybill.local', aud: 'waybill', principal: 'user' as const },
  lifetimeSeconds: 60,
}

describe('a service with an issuer', () => {
  test("finds the issuer's keys itself, and takes tokens and API keys", async () => {
    const issuer = new StandInIssuer()
    const auth = await started({ config: configured(), issuer })
    expect(
      await present(auth, [`Bearer ${issuer.userToken('ann', { sid: 'session-of-ann' })}`]),
    ).toMatchObject({
      ...{ userId: 'ann', via: 'jwt', sessionId: 'session-of-ann' },
    })
    expect(await present(auth, [], [issuer.apiKey('bob', 'key-of-bob')])).toMatchObject({
      ...{ userId: 'bob', via: 'api-key', apiKeyId: 'key-of-bob', tier: 'free' },
    })
  })

  test('believes nothing until it has read once what was revoked: a token may have been, while it was not there', async () => {
    const issuer = new StandInIssuer()
    issuer.revoke({ kind: 'session', id: 'session-of-ann' })
    const auth = serve({ config: hs256, issuer })
    const claims = { ...grant.claims, sid: 'session-of-ann' }
    const { token } = await signAccessToken(sharedKeyOf(hs256)!.signing, { ...grant, claims })
    await expect(present(auth, [`Bearer ${token}`])).rejects.toMatchObject({ code: 'unavailable' })
    await auth.start(new AbortController().signal)
    await expect(present(auth, [`Bearer ${token}`])).rejects.toMatchObject({ code: 'invalid_token' })
  })

  test('starts although the issuer is away, and is 503 to credentials until it is back', async () => {
    const issuer = new StandInIssuer()
    const away = {
      jwks: issuer.jwks,
      introspect: issuer.introspect,
      revocations: () => Promise.reject(new Error('away')),
    }
    const auth = await started({ config: hs256, issuer: away })
    const { token } = await signAccessToken(sharedKeyOf(hs256)!.signing, grant)
    await expect(present(auth, [`Bearer ${token}`])).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('refuses a revoked session, token, user or API key as soon as the feed tells of it', async () => {
    const issuer = new StandInIssuer()
    const auth = serve({ config: configured(), issuer })
    const token = [`Bearer ${issuer.userToken('ann', { sid: 'session-of-ann' })}`]
    const bobs = [`Bearer ${issuer.userToken('bob')}`]
    const keyed = [`Bearer ${issuer.userToken('cat', { key_id: 'key-of-cat' })}`]
    const apiKey = issuer.apiKey('cat', 'key-of-cat')
    await auth.start(new AbortController().signal)
    for (const authorization of [token, bobs, keyed]) await present(auth, authorization)
    await present(auth, [], [apiKey])
    issuer.revoke({ kind: 'session', id: 'session-of-ann' })
    issuer.revoke({ kind: 'user', id: 'bob', not_before: Math.ceil(Date.now() / 1000) + 1 })
    issuer.revoke({ kind: 'api_key', id: 'key-of-cat' })
    const refused = { code: 'invalid_token', status: 401 }
    for (const authorization of [token, bobs, keyed])
      expect(await untilRefused(() => present(auth, authorization))).toMatchObject(refused)
    expect(await untilRefused(() => present(auth, [], [apiKey]))).toMatchObject(refused)
  })

  test('follows the feed from its start until it is closed, and not before', async () => {
    const issuer = new StandInIssuer()
    const signals: AbortSignal[] = []
    const { revocations } = issuer
    issuer.revocations = (cursor, signal, wait) => {
      signals.push(signal)
      return revocations(cursor, signal, wait)
    }
    const auth = serve({ config: configured(), issuer })
    expect(signals).toHaveLength(0)
    await auth.start(new AbortController().signal)
    expect(signals).toHaveLength(1)
    await auth.start(new AbortController().signal)
    expect(signals).toHaveLength(1)
    await auth.close()
    expect(signals[0]?.aborted).toBe(true)
  })

  test('answers 503 before it has heard of revocations, where that is asked for', async () => {
    const issuer = new StandInIssuer()
    const config = configured({ REVOCATION_MAX_STALE_SECONDS: '60' })
    const auth = serve({ config, issuer })
    const refused = { code: 'unavailable', status: 503 }
    await expect(
      present(auth, [`Bearer ${issuer.userToken('ann', { sid: 'session-of-ann' })}`]),
    ).rejects.toMatchObject(refused)
    await expect(present(auth, [], [issuer.apiKey('ann', 'key-of-ann')])).rejects.toMatchObject(refused)
  })

  test('starts while the feed is down, but is ready only once it has heard of revocations', async () => {
    const issuer = new StandInIssuer()
    const isUp = Promise.withResolvers<undefined>()
    const { revocations } = issuer
    let asked = 0
    issuer.revocations = async (cursor, signal, wait) => {
      asked += 1
      if (asked === 1) throw new Error('not up yet')
      await isUp.promise
      return revocations(cursor, signal, wait)
    }
    const auth = await started({ config: configured(), issuer })
    await expect(auth.ready()).rejects.toMatchObject({ code: 'unavailable' })
    isUp.resolve(undefined)
    await vi.waitFor(() => auth.ready())
  })
})

test('a feed that may not even be silent while it waits for news stops the start', () => {
  expect(() => configured({ REVOCATION_MAX_STALE_SECONDS: '29' })).toThrow('must be 0, or 30 at least')
  expect(configured({ REVOCATION_MAX_STALE_SECONDS: '30' }).REVOCATION_MAX_STALE_SECONDS).toBe(30)
})

describe('with JWT_ALGORITHM=HS256', () => {
  const now = Math.floor(Date.now() / 1000)
  const times = { iat: now, nbf: now, exp: now + 60 }

  test.each(['JWT_SECRET', 'JWT_SECRET_KEY'])('%s signs and verifies', async (variable) => {
    const config = configured({ JWT_ALGORITHM: 'HS256', [variable]: SECRET })
    const key = sharedKeyOf(config)!
    const { token } = await signAccessToken(key.signing, grant)
    expect(await (await started({ config })).verifier.verify(token)).toMatchObject({ sub: 'u1' })
  })

  test('is said in the log at the start: whoever verifies can mint', async () => {
    const lines: string[] = []
    const log = createLogger({ service: 'x', destination: { write: (line) => lines.push(line) } })
    await started({ config: hs256, log })
    expect(lines.join('')).toContain('JWT_ALGORITHM is HS256')
    expect(lines.join('')).not.toContain(SECRET)
    await started({ config: configured(), log })
    expect(lines).toHaveLength(1)
  })

  test('a token of another secret, or made with a public key as the secret, is refused', async () => {
    const config = configured({ JWT_ALGORITHM: 'HS256', JWT_SECRET: SECRET })
    const { verifier } = await started({ config })
    const other = configured({ JWT_ALGORITHM: 'HS256', JWT_SECRET: `${SECRET}!` })
    const { token } = await signAccessToken(sharedKeyOf(other)!.signing, grant)
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'invalid_token' })
    const { kid } = sharedKeyOf(config)!.signing
    const claims = { ...CLAIMS, ...times, iss: 'https://waybill.local', aud: 'waybill' }
    for (const secret of [PEM, PEM.trim(), ` ${PEM}`, `${PEM}\n`, ''])
      await expect(verifier.verify(forgeHmac(secret, { kid }, claims))).rejects.toMatchObject({
        code: 'invalid_token',
      })
    expect(await verifier.verify(forgeHmac(SECRET, { kid }, claims))).toMatchObject({ sub: 'u1' })
  })

  test.each<[string, NodeJS.ProcessEnv, string]>([
    ['without a secret', {}, 'JWT_SECRET: is required'],
    ['with an empty secret', { JWT_SECRET: ' ' }, 'JWT_SECRET: is required'],
    ['with a short secret', { JWT_SECRET: 'x'.repeat(31) }, 'JWT_SECRET: is shorter than 32 bytes'],
    ['with a short secret by its other name', { JWT_SECRET_KEY: 'x' }, 'JWT_SECRET_KEY: is shorter than 32'],
  ])('%s the service does not start', (_name, environment, message) => {
    const start = (): unknown => serve({ config: configured({ JWT_ALGORITHM: 'HS256', ...environment }) })
    expect(start).toThrow(ConfigError)
    expect(start).toThrow(message)
  })

  test.each(['your-secret-key-change-in-production', 'secret', 'x'.repeat(64)])(
    'in production the secret %j is refused even before',
    (secret) => {
      const environment = { NODE_ENV: 'production', JWT_ALGORITHM: 'HS256', JWT_SECRET_KEY: secret }
      expect(() => configured(environment)).toThrow('JWT_SECRET_KEY')
    },
  )

  test('the id of the key says nothing of the secret but that it is another', () => {
    const [one, two] = [configured({ JWT_SECRET: SECRET }), configured({ JWT_SECRET: `${SECRET}!` })].map(
      ({ JWT_SECRET }) => sharedKey(JWT_SECRET!).verification.kid,
    )
    expect(one).toMatch(/^[\w-]{16}$/)
    expect(one).not.toBe(two)
  })
})

describe('SERVICE_SECRETS', () => {
  const hex = 'ab'.repeat(32)
  const variable = z.object({ SERVICE_SECRETS: serviceSecretHashes() })
  const read = (text?: string) =>
    loadConfig(variable, text === undefined ? {} : { SERVICE_SECRETS: text }).SERVICE_SECRETS

  test('names the digests of each service, one or two, with their end', () => {
    expect(read()).toEqual(new Map())
    const secrets = { a: hex, b: [hex, { sha256: hex.toUpperCase(), expires_at: '2027-01-01T00:00:00Z' }] }
    const hash = Buffer.from(hex, 'hex')
    expect(read(JSON.stringify(secrets))).toEqual(
      new Map([
        ['a', [{ hash, expiresAt: undefined }]],
        [
          'b',
          [
            { hash, expiresAt: undefined },
            { hash, expiresAt: new Date('2027-01-01T00:00:00Z') },
          ],
        ],
      ]),
    )
  })

  test.each<[string, string]>([
    ['no JSON', 'canary'],
    ['a list', '["canary"]'],
    ['the secret itself', '{"a":"canary"}'],
    ['three of one service', JSON.stringify({ a: [hex, hex, hex] })],
    ['none of a service', '{"a":[]}'],
    ['an end that is no time', JSON.stringify({ a: { sha256: hex, expires_at: 'canary' } })],
    ['a member nobody knows', JSON.stringify({ a: { sha256: hex, secret: 'canary' } })],
    ['a name that is none', JSON.stringify({ 'A canary': hex })],
  ])('that holds %s stops the start without being quoted', (_name, text) => {
    expect(() => read(text)).toThrow('SERVICE_SECRETS: must be a JSON object')
    expect(() => read(text)).not.toThrow('canary')
  })
})
