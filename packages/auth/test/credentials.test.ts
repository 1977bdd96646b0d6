import { createHash } from 'node:crypto'
import { Secret } from '@waybill/service-kit'
import type { Authenticated } from '@waybill/service-kit'
import { beforeAll, describe, expect, test } from 'vitest'
import { createApiKeyVerifier } from '../src/api-key/verifier.ts'
import { createCredentialVerifier, createServiceSecrets, generateApiKey } from '../src/index.ts'
import type { CredentialVerifier, PeerIdentity, PresentedCredentials } from '../src/index.ts'
import { CLAIMS, forge, ISSUER, NOW, verifier } from './forge.ts'

const INVALID = { code: 'invalid_token', status: 401 }
const AMBIGUOUS = { code: 'ambiguous_credentials', status: 400 }
const MISMATCH = { code: 'identity_header_mismatch', status: 401 }
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

const API_KEY = generateApiKey()
const SECRET = 'work-platforms-own-secret-of-40-characters'
const OLD_SECRET = 'work-platforms-old-secret-of-40-characters'
const DOCLINGS = 'doclings-own-secret-of-more-than-40-characters'

const gateway: PeerIdentity = { service: 'gateway', permissions: ['stats.read'], thumbprint: 'A'.repeat(43) }
const annByGateway = forge({ ...CLAIMS, act: { sub: 'gateway' } })

let credentials: CredentialVerifier
let withoutSecrets: CredentialVerifier
beforeAll(async () => {
  const tokens = await verifier()
  const apiKeys = createApiKeyVerifier({
    ...{ issuer: ISSUER, ttlMs: 1_000, cacheSize: 10, now: () => NOW * 1000 },
    introspect: (key) =>
      Promise.resolve(
        key.reveal() === API_KEY
          ? {
              ...{ active: true, token_type: 'api_key', iss: ISSUER, sub: 'u1', principal: 'user' },
              ...{ client_id: 'key1', scope: 'tasks.read', iat: NOW, exp: NOW + 60, key_id: 'key1' },
            }
          : { active: false },
      ),
  })
  const serviceSecrets = createServiceSecrets(
    new Map([
      [
        'work-platform',
        [{ hash: sha256(SECRET) }, { hash: sha256(OLD_SECRET), expiresAt: new Date((NOW - 1) * 1000) }],
      ],
      ['docling', [{ hash: sha256(DOCLINGS), expiresAt: new Date((NOW + 1) * 1000) }]],
    ]),
    { now: () => NOW * 1000 },
  )
  credentials = createCredentialVerifier({ verifier: tokens, apiKeys, serviceSecrets })
  withoutSecrets = createCredentialVerifier({ verifier: tokens, apiKeys })
})

const verify = (
  presented: Partial<PresentedCredentials>,
  by: CredentialVerifier = credentials,
): Promise<Authenticated | undefined> =>
  by.verify({ authorization: [], apiKey: [], identity: {}, ...presented })

test('nothing presented is nobody', async () => {
  expect(await verify({})).toBeUndefined()
  expect(
    await verify({ identity: { 'X-User-ID': ['admin'], 'X-Service-Name': ['gateway'] } }),
  ).toBeUndefined()
})

describe('two credentials are refused, whichever is valid', () => {
  test.each<[string, Partial<PresentedCredentials>]>([
    ['a token and an API key', { authorization: [`Bearer ${forge()}`], apiKey: [API_KEY] }],
    ['a token and an empty API key', { authorization: [`Bearer ${forge()}`], apiKey: [''] }],
    ['two tokens', { authorization: [`Bearer ${forge()}`, `Bearer ${forge()}`] }],
    ['two API keys', { apiKey: [API_KEY, API_KEY] }],
    ['a certificate and an API key', { peer: gateway, apiKey: [API_KEY] }],
  ])('%s', async (_name, presented) => {
    await expect(verify(presented)).rejects.toMatchObject(AMBIGUOUS)
  })
})

describe('an API key', () => {
  test('is the user whose key it is, and what may be exchanged', async () => {
    const caller = await verify({ apiKey: [API_KEY] })
    expect(caller?.principal).toMatchObject({ kind: 'user', userId: 'u1', via: 'api-key', apiKeyId: 'key1' })
    expect(caller?.principal).not.toHaveProperty('sessionId')
    expect(caller?.credential).toEqual({ type: 'api-key', secret: expect.any(Secret) as Secret })
  })

  test('must agree with the identity headers like any other credential', async () => {
    await expect(verify({ apiKey: [API_KEY], identity: { 'X-User-ID': ['admin'] } })).rejects.toMatchObject(
      MISMATCH,
    )
  })

  test('that nobody knows is 401, and so is one that is sent as a token', async () => {
    await expect(verify({ apiKey: [generateApiKey()] })).rejects.toMatchObject(INVALID)
    await expect(verify({ authorization: [`Bearer ${API_KEY}`] })).rejects.toMatchObject(INVALID)
  })
})

describe('a token that came of an API key', () => {
  const token = (more: object): string => forge({ ...CLAIMS, key_id: 'key1', tier: 'free', ...more })

  test('says so at every hop', async () => {
    const caller = await verify({ authorization: [`Bearer ${token({ act: { sub: 'gateway' } })}`] })
    expect(caller?.principal).toMatchObject({
      ...{ via: 'api-key', apiKeyId: 'key1', tier: 'free', actors: ['gateway'] },
    })
  })

  test('is no session, whatever else it says', async () => {
    const caller = await verify({ authorization: [`Bearer ${token({ sid: 's1' })}`] })
    expect(caller?.principal).not.toHaveProperty('sessionId')
  })
})

describe('a client certificate', () => {
  test('alone is the service in its own name, with what the policy allows it', async () => {
    expect(await verify({ peer: gateway })).toMatchObject({
      principal: {
        kind: 'service',
        service: 'gateway',
        permissions: ['stats.read'],
        actors: [],
        via: 'mtls',
      },
    })
    await expect(
      verify({ peer: gateway, identity: { 'X-Service-Name': ['docling'] } }),
    ).rejects.toMatchObject(MISMATCH)
    await expect(verify({ peer: gateway, identity: { 'X-User-ID': ['u1'] } })).rejects.toMatchObject(MISMATCH)
  })

  test('beside a token says who sent it: the service that the token names, or 401', async () => {
    const authorization = [`Bearer ${annByGateway}`]
    expect(await verify({ authorization, peer: gateway })).toMatchObject({
      principal: { kind: 'user', userId: 'u1', via: 'jwt' },
    })
    const docling = { ...gateway, service: 'docling' }
    await expect(verify({ authorization, peer: docling })).rejects.toMatchObject(INVALID)
    const own = [`Bearer ${forge({ ...CLAIMS, sub: 'gateway', principal: 'service', scope: '' })}`]
    expect(await verify({ authorization: own, peer: gateway })).toMatchObject({
      principal: { kind: 'service', service: 'gateway', via: 'service-jwt' },
    })
    await expect(verify({ authorization: own, peer: docling })).rejects.toMatchObject(INVALID)
    const stolen = [`Bearer ${forge()}`]
    await expect(verify({ authorization: stolen, peer: gateway })).rejects.toMatchObject(INVALID)
  })

  test('beside a bad token does not make up for it', async () => {
    await expect(verify({ authorization: ['Bearer x'], peer: gateway })).rejects.toMatchObject(INVALID)
  })

  test('to which a token is bound must be that very one, at every use (RFC 8705)', async () => {
    const cnf = { 'x5t#S256': gateway.thumbprint }
    const authorization = [`Bearer ${forge({ ...CLAIMS, act: { sub: 'gateway' }, cnf })}`]
    expect(await verify({ authorization, peer: gateway })).toMatchObject({ principal: { userId: 'u1' } })
    const renewed = { ...gateway, thumbprint: 'B'.repeat(43) }
    await expect(verify({ authorization, peer: renewed })).rejects.toMatchObject(INVALID)
    await expect(verify({ authorization })).rejects.toMatchObject(INVALID)
  })
})

describe('a static service secret', () => {
  const bySecret = (secret: string, ...names: string[]): Partial<PresentedCredentials> => ({
    authorization: [`Bearer ${secret}`],
    identity: { 'X-Service-Name': names },
  })

  test('is the service that owns it, under its own name', async () => {
    expect(await verify(bySecret(SECRET, 'work-platform'))).toEqual({
      principal: {
        ...{ kind: 'service', service: 'work-platform', permissions: [], actors: [], via: 'service-secret' },
      },
      expected: { 'X-User-ID': '', 'X-Tenant-ID': '', 'X-Service-Name': 'work-platform' },
    })
  })

  test.each<[string, Partial<PresentedCredentials>]>([
    ['under the name of another service', bySecret(SECRET, 'docling')],
    ['of another service under this name', bySecret(DOCLINGS, 'work-platform')],
    ['under a name that nobody has', bySecret(SECRET, 'stranger')],
    ['under a name that every object has', bySecret(SECRET, 'constructor')],
    ['under an empty name', bySecret(SECRET, '')],
    ['under two names', bySecret(SECRET, 'work-platform', 'work-platform')],
    ['without a name', { authorization: [`Bearer ${SECRET}`] }],
    ['that has expired', bySecret(OLD_SECRET, 'work-platform')],
    ['that is none', bySecret('x', 'work-platform')],
    ['that is its own digest', bySecret(sha256(SECRET).toString('hex'), 'work-platform')],
    ['with one character more', bySecret(`${SECRET}x`, 'work-platform')],
    ["from another service's certificate", { ...bySecret(SECRET, 'work-platform'), peer: gateway }],
    ['with something of the form of a token', bySecret('a.b.c', 'work-platform')],
  ])('%s is 401', async (_name, presented) => {
    await expect(verify(presented)).rejects.toMatchObject(INVALID)
  })

  test('acts for no user', async () => {
    const { authorization } = bySecret(SECRET, 'work-platform')
    const identity = { 'X-Service-Name': ['work-platform'], 'X-User-ID': ['u1'] }
    await expect(verify({ authorization: authorization ?? [], identity })).rejects.toMatchObject(MISMATCH)
  })

  test('means nothing where none is configured', async () => {
    await expect(verify(bySecret(SECRET, 'work-platform'), withoutSecrets)).rejects.toMatchObject(INVALID)
  })

  test('of which there are more than two cannot be configured', () => {
    const hash = { hash: sha256('x') }
    expect(() => createServiceSecrets(new Map([['a', [hash, hash, hash]]]))).toThrow('a has more than 2')
  })
})

test('one caller serves every request with the same token, and cannot be changed by any', async () => {
  const authorization = [`Bearer ${forge()}`]
  const [first, second] = await Promise.all([verify({ authorization }), verify({ authorization })])
  expect(second).toStrictEqual(first)
  expect(await verify({ authorization })).toBe(await verify({ authorization }))
  expect(() => {
    ;(first!.principal as { role?: string }).role = 'admin'
  }).toThrow(TypeError)
  expect(() => {
    ;(first!.principal.permissions as string[]).push('*')
  }).toThrow(TypeError)
})

describe('a token that is remembered is judged like one that is not', () => {
  const plain = forge()
  const bound = forge({ ...CLAIMS, act: { sub: 'gateway' }, cnf: { 'x5t#S256': gateway.thumbprint } })
  const docling = { ...gateway, service: 'docling' }
  const of = (token: string, more: Partial<PresentedCredentials> = {}): PresentedCredentials => ({
    ...{ authorization: [`Bearer ${token}`], apiKey: [], identity: {} },
    ...more,
  })

  test.each<[string, PresentedCredentials, object]>([
    ['alone', of(plain), { principal: { userId: 'u1' } }],
    ['twice', of(plain, { authorization: [`Bearer ${plain}`, `Bearer ${plain}`] }), AMBIGUOUS],
    ['before another', of(plain, { authorization: [`Bearer ${plain}`, 'Bearer x'] }), AMBIGUOUS],
    ['beside an API key', of(plain, { apiKey: [API_KEY] }), AMBIGUOUS],
    ['beside an empty API key', of(plain, { apiKey: [''] }), AMBIGUOUS],
    ['under another user', of(plain, { identity: { 'X-User-ID': ['admin'] } }), MISMATCH],
    ['under two users', of(plain, { identity: { 'X-User-ID': ['u1', 'u1'] } }), MISMATCH],
    ['from a service that it does not name', of(plain, { peer: gateway }), INVALID],
    ['from the service that it names', of(annByGateway, { peer: gateway }), { principal: { userId: 'u1' } }],
    ['from another service', of(annByGateway, { peer: docling }), INVALID],
    ['without the certificate that it is bound to', of(bound), INVALID],
    ['with that certificate', of(bound, { peer: gateway }), { principal: { userId: 'u1' } }],
  ])('%s', async (_name, presented, expected) => {
    const outcome = (by: CredentialVerifier): Promise<unknown> =>
      (async () => by.recall(presented) ?? (await by.verify(presented)))().catch((error: unknown) => error)
    const tokens = await verifier()
    const warm = createCredentialVerifier({ verifier: tokens })
    for (const token of [plain, annByGateway, bound]) await tokens.verify(token)
    const fresh = createCredentialVerifier({ verifier: await verifier() })
    expect(await outcome(fresh)).toMatchObject(expected)
    expect(await outcome(warm)).toMatchObject(expected)
  })
})
