import { Problem } from '@waybill/service-kit'
import { describe, expect, test } from 'vitest'
import {
  CLAIMS,
  DER,
  forge,
  forgeHmac,
  HEADER,
  keySource,
  NOW,
  PEM,
  strangersKey,
  verifying,
} from './forge.ts'

const refused = expect.objectContaining({ code: 'invalid_token', status: 401 })

/** What is left when a claim is taken away. */
function without(claim: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(CLAIMS).filter(([name]) => name !== claim))
}

/** The same bytes in another spelling: the last character of base64url has bits that mean nothing. */
function respelt(part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const bytes = Buffer.from(part, 'base64url')
  const other = Array.from(alphabet)
    .map((last) => part.slice(0, -1) + last)
    .find((text) => text !== part && Buffer.from(text, 'base64url').equals(bytes))
  if (other === undefined) throw new Error('this part has no spare bits')
  return other
}
const [H = '', P = '', S = ''] = forge().split('.')

test('a proper token is accepted, and its claims come back', async () => {
  const verify = await verifying()
  expect(await verify(forge())).toMatchObject(CLAIMS)
  expect(await verify(forge(CLAIMS, { ...HEADER, typ: 'application/AT+JWT' }))).toMatchObject(CLAIMS)
})

describe('a token is refused before any key is looked up when it is', () => {
  // The payload of this one is long enough by two bytes, so that its last character has spare bits too.
  const padded = forge({ ...CLAIMS, x: 'ab' }).split('.')
  const spare = padded.map((part, at) =>
    part.length % 4 === 0 ? forge({ ...CLAIMS, x: 'a' }).split('.')[at]! : part,
  )

  test.each([
    ['empty', ''],
    ['two parts', `${H}.${P}`],
    ['four parts', `${H}.${P}.${S}.`],
    ['five parts, as encrypted tokens are', `${H}.${P}.${S}.${S}.${S}`],
    ['without a signature', `${H}.${P}.`],
    ['led by a space', ` ${H}.${P}.${S}`],
    ['followed by a space', `${H}.${P}.${S} `],
    ['followed by a line break', `${H}.${P}.${S}\n`],
    ['broken by a space', `${H}. ${P}.${S}`],
    ['padded in its signature', `${H}.${P}.${S}==`],
    ['padded in its payload', `${H}.${P}=.${S}`],
    ['written in plain base64', `${H}.${P}.${S.replace(/[-_]/g, '+')}+`],
    ['respelt in its signature', `${H}.${P}.${respelt(S)}`],
    ['respelt in its payload', `${spare[0]!}.${respelt(spare[1]!)}.${spare[2]!}`],
    ['too long', forge({ ...CLAIMS, x: 'x'.repeat(8_192) })],
  ])('%s', async (_name, token) => {
    const keys = await keySource()
    const verify = await verifying({ keys })
    await expect(verify(token)).rejects.toEqual(refused)
    expect(keys.asked).toEqual([])
  })

  test.each([
    ['a member named twice', '{"sub":"victim","sub":"u1"}'],
    ['a member named twice, once in escapes', '{"sub":"victim","s\\u0075b":"u1"}'],
    ['a member named twice within another', '{"act":{"sub":"a","sub":"b"}}'],
    ['a member named twice within a list', '{"list":[{"a":1},{"a":1,"a":2}]}'],
    ['a member that hides behind a string with a brace', '{"a":"}","b":1,"b":2}'],
    ['a list', '[1]'],
    ['a string', '"text"'],
    ['null', 'null'],
    ['two objects', '{}{}'],
    ['a byte order mark', `\uFEFF${JSON.stringify(CLAIMS)}`],
    ['not JSON', '{iss:1}'],
    ['nothing', ' '],
  ])('made of %s in its payload or header', async (_name, text) => {
    const keys = await keySource()
    const verify = await verifying({ keys })
    await expect(verify(forge(text))).rejects.toEqual(refused)
    await expect(verify(forge(CLAIMS, text))).rejects.toEqual(refused)
    expect(keys.asked).toEqual([])
  })

  test('made of bytes that are not UTF-8', async () => {
    const verify = await verifying()
    const bad = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')
    await expect(verify(`${H}.${bad}.${S}`)).rejects.toEqual(refused)
  })

  test.each([
    ['typ JWT, which an id token has too', { ...HEADER, typ: 'JWT' }],
    ['typ of a logout token', { ...HEADER, typ: 'logout+jwt' }],
    ['typ with something behind', { ...HEADER, typ: 'at+jwt; x' }],
    ['no typ', { alg: 'ES256', kid: 'k1' }],
    ['typ that is no string', { ...HEADER, typ: ['at+jwt'] }],
    ['no alg', { typ: 'at+jwt', kid: 'k1' }],
    ['alg that is no string', { ...HEADER, alg: ['ES256'] }],
    ['no kid', { typ: 'at+jwt', alg: 'ES256' }],
    ['kid that is a path', { ...HEADER, kid: '../../dev/null' }],
    ['kid that is SQL', { ...HEADER, kid: "k1' OR '1'='1" }],
    ['kid that is a command', { ...HEADER, kid: 'k1|sleep 5' }],
    ['kid that is a URL', { ...HEADER, kid: 'https://evil.test/k1' }],
    ['kid with a line break', { ...HEADER, kid: 'k1\n' }],
    ['kid too long', { ...HEADER, kid: 'k'.repeat(65) }],
    ['kid that is a number', { ...HEADER, kid: 1 }],
    ['an empty kid', { ...HEADER, kid: '' }],
    ['crit', { ...HEADER, crit: ['exp'] }],
    ['b64', { ...HEADER, b64: false, crit: ['b64'] }],
    ['jku', { ...HEADER, jku: 'https://evil.test/jwks.json' }],
    ['x5u', { ...HEADER, x5u: 'https://evil.test/cert' }],
    ['jwk', { ...HEADER, jwk: { kty: 'EC' } }],
    ['cty', { ...HEADER, cty: 'JWT' }],
    ['zip', { ...HEADER, zip: 'DEF' }],
    ['a member nobody knows', { ...HEADER, x: 1 }],
  ])('headed by %s', async (_name, header) => {
    const keys = await keySource()
    const verify = await verifying({ keys })
    await expect(verify(forge(CLAIMS, header))).rejects.toEqual(refused)
    expect(keys.asked).toEqual([])
  })
})

describe('a signature is refused when it is', () => {
  test.each([
    ['none', `${Buffer.from(JSON.stringify({ ...HEADER, alg: 'none' })).toString('base64url')}.${P}.`],
    ['none, with something behind', forge(CLAIMS, { ...HEADER, alg: 'none' })],
    ['NONE in capitals', forge(CLAIMS, { ...HEADER, alg: 'NONE' })],
    ['HS256 with the public key as PEM', forgeHmac(PEM)],
    ['HS256 with the public key as trimmed PEM', forgeHmac(PEM.trim())],
    ['HS256 with the public key as PEM led by a space', forgeHmac(` ${PEM}`)],
    ['HS256 with the public key as DER', forgeHmac(DER)],
    ['HS256 with the public key as PEM followed by a line break', forgeHmac(`${PEM}\n`)],
    ['HS256 with an empty secret', forgeHmac('')],
    ['of another algorithm than the key is for', forge(CLAIMS, { ...HEADER, alg: 'ES384' })],
    ['of an algorithm in small letters', forge(CLAIMS, { ...HEADER, alg: 'es256' })],
    ['of a key that nobody published', forge(CLAIMS, { ...HEADER, kid: 'unknown' })],
    ["of a stranger's key under a known id", forge(CLAIMS, HEADER, strangersKey())],
    ['over another payload', `${H}.${forge({ ...CLAIMS, sub: 'admin' }).split('.')[1]!}.${S}`],
    [
      'over another header',
      `${forge(CLAIMS, { ...HEADER, typ: 'application/at+jwt' }).split('.')[0]!}.${P}.${S}`,
    ],
    ['all zeros (CVE-2022-21449)', `${H}.${P}.${Buffer.alloc(64).toString('base64url')}`],
    ['cut off', `${H}.${P}.${Buffer.from(S, 'base64url').subarray(0, 63).toString('base64url')}`],
  ])('%s', async (_name, token) => {
    const verify = await verifying()
    await expect(verify(token)).rejects.toEqual(refused)
  })
})

describe('claims', () => {
  test.each(['iss', 'aud', 'sub', 'client_id', 'iat', 'nbf', 'exp', 'jti', 'scope', 'principal'])(
    '%s is required, and named when it is missing',
    async (claim) => {
      const verify = await verifying()
      await expect(verify(forge(without(claim)))).rejects.toThrow(claim)
      await expect(verify(forge({ ...CLAIMS, [claim]: null }))).rejects.toEqual(refused)
    },
  )

  test.each<[string, Record<string, unknown>]>([
    ['sub an object', { sub: { id: 'u1' } }],
    ['sub a number', { sub: 1 }],
    ['sub empty', { sub: '' }],
    ['sub too long', { sub: 'x'.repeat(257) }],
    ['exp a string', { exp: String(NOW + 300) }],
    ['exp a fraction', { exp: NOW + 0.5 }],
    ['exp beyond all time', { exp: 1e300 }],
    ['iat negative', { iat: -1 }],
    ['scope a list', { scope: ['memory.read'] }],
    ['principal something else', { principal: 'root' }],
    ['role a list', { role: ['admin'] }],
    ['act a string', { act: 'gateway' }],
    ['act with a member nobody knows', { act: { sub: 'gateway', iss: 'x' } }],
    ['act nested without sub', { act: { sub: 'gateway', act: {} } }],
    ['cnf without a thumbprint', { cnf: {} }],
    ['cnf with another binding', { cnf: { jkt: 'x'.repeat(43) } }],
    ['cnf with a thumbprint of another length', { cnf: { 'x5t#S256': 'x' } }],
    ['key_id a list', { key_id: ['key1'] }],
    ['aud empty', { aud: '' }],
    ['aud an empty list', { aud: [] }],
    ['aud a list with something else', { aud: ['docling', 1] }],
    ['aud an object', { aud: { docling: true } }],
  ])('of the wrong type are refused: %s', async (_name, claims) => {
    const verify = await verifying()
    await expect(verify(forge({ ...CLAIMS, ...claims }))).rejects.toEqual(refused)
  })

  test.each<[string, Record<string, unknown>]>([
    ['another issuer', { iss: 'https://issuer.test.evil' }],
    ['the issuer with a slash', { iss: 'https://issuer.test/' }],
    ['another audience', { aud: 'data_store' }],
    ['an audience that only begins alike', { aud: 'docling2' }],
    ['several other audiences', { aud: ['data_store', 'llm-proxy'] }],
    ['expired, one second beyond the skew', { iat: NOW - 300, nbf: NOW - 300, exp: NOW - 30 }],
    ['not valid yet, one second beyond the skew', { nbf: NOW + 31 }],
    ['from the future, one second beyond the skew', { iat: NOW + 31, exp: NOW + 300 }],
    ['a longer life than is believed', { exp: NOW + 3_601 }],
    ['a longer life than is believed, begun long ago', { iat: NOW - 3_590, exp: NOW + 11 }],
  ])('are refused: %s', async (_name, claims) => {
    const verify = await verifying()
    await expect(verify(forge({ ...CLAIMS, ...claims }))).rejects.toEqual(refused)
  })

  test.each<[string, Record<string, unknown>]>([
    ['expired within the skew', { iat: NOW - 300, nbf: NOW - 300, exp: NOW - 29 }],
    ['not valid yet within the skew', { nbf: NOW + 30 }],
    ['issued by a clock that is a little ahead', { iat: NOW + 30, nbf: NOW + 30, exp: NOW + 330 }],
    ['the longest life', { exp: NOW + 3_600 }],
    ['one of several audiences', { aud: ['data_store', 'docling'] }],
    ['no permissions', { scope: '' }],
  ])('are accepted: %s', async (_name, claims) => {
    const verify = await verifying()
    expect(await verify(forge({ ...CLAIMS, ...claims }))).toMatchObject(claims)
  })

  test('that nobody knows are not read', async () => {
    const verify = await verifying()
    expect(await verify(forge({ ...CLAIMS, user_id: 'admin', permissions: ['*'] }))).toEqual(CLAIMS)
  })

  test('a refusal quotes nothing of the token', async () => {
    const verify = await verifying()
    for (const token of [forge({ ...CLAIMS, iss: 'canary' }), forge(CLAIMS, { ...HEADER, typ: 'canary' })]) {
      const error: unknown = await verify(token).catch((thrown: unknown) => thrown)
      expect(String(error)).not.toContain('canary')
      expect(String(error)).not.toContain(token.slice(0, 10))
    }
  })
})

describe('a verified token is remembered', () => {
  test('so that its key is not looked up again, but only for a while', async () => {
    const keys = await keySource()
    let now = NOW * 1000
    const verify = await verifying({ keys, cacheTtlMs: 60_000, now: () => now })
    await verify(forge())
    const token = forge()
    await verify(token)
    await verify(token)
    expect(keys.asked).toHaveLength(2)
    now += 60_000
    await verify(token)
    expect(keys.asked).toHaveLength(3)
  })

  test('but not beyond its expiry: time is checked anew at each hit', async () => {
    let now = NOW * 1000
    const verify = await verifying({ cacheTtlMs: 3_600_000, now: () => now })
    const token = forge()
    await verify(token)
    now += 329_000
    await verify(token)
    now += 1_000
    await expect(verify(token)).rejects.toThrow('expired')
  })

  test('and not under another spelling', async () => {
    const keys = await keySource()
    const verify = await verifying({ keys })
    await verify(`${H}.${P}.${S}`)
    await expect(verify(`${H}.${P}.${respelt(S)}`)).rejects.toEqual(refused)
    await expect(verify(`${H}.${P}.${S} `)).rejects.toEqual(refused)
  })

  test('and a refused one is not remembered as anything', async () => {
    const keys = await keySource()
    const verify = await verifying({ keys })
    const token = forge({ ...CLAIMS, aud: 'data_store' })
    await expect(verify(token)).rejects.toEqual(refused)
    await expect(verify(token)).rejects.toEqual(refused)
    expect(keys.asked).toHaveLength(2)
  })

  test('in bounded room: the oldest goes first', async () => {
    const keys = await keySource()
    const verify = await verifying({ keys, cacheSize: 2 })
    const tokens = ['a', 'b', 'c'].map((jti) => forge({ ...CLAIMS, jti }))
    for (const token of tokens) await verify(token)
    await verify(tokens[2]!)
    await verify(tokens[1]!)
    expect(keys.asked).toHaveLength(3)
    await verify(tokens[0]!)
    expect(keys.asked).toHaveLength(4)
  })

  test('or not at all, with a cache of size 0', async () => {
    const keys = await keySource()
    const verify = await verifying({ keys, cacheSize: 0 })
    const token = forge()
    await verify(token)
    await verify(token)
    expect(keys.asked).toHaveLength(2)
  })

  test('but not beyond its key: one that is taken back takes its tokens along', async () => {
    const source = await keySource()
    let isPublished = true
    const keys = {
      find: (kid: string) => (isPublished ? source.find(kid) : Promise.resolve(undefined)),
      holds: () => isPublished,
    }
    const verify = await verifying({ keys })
    const token = forge()
    await verify(token)
    await verify(token)
    expect(source.asked).toHaveLength(1)
    isPublished = false
    await expect(verify(token)).rejects.toEqual(refused)
  })

  test('and one that is revoked is refused at its next use', async () => {
    let isRevoked = false
    const check = (): void => {
      if (isRevoked) throw new Problem('invalid_token', 'The credential has been revoked.')
    }
    const verify = await verifying({ revocations: { check } })
    const token = forge()
    await verify(token)
    isRevoked = true
    await expect(verify(token)).rejects.toEqual(refused)
    await expect(verify(forge())).rejects.toEqual(refused)
  })

  test('for one verifier only: another with other audiences judges for itself', async () => {
    const token = forge()
    await (
      await verifying()
    )(token)
    await expect((await verifying({ audiences: ['data_store'] }))(token)).rejects.toThrow('audience')
  })
})
