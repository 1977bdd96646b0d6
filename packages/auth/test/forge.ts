import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { exportJWK } from 'jose'
import type { JWK } from 'jose'
import { createVerifier, importKey } from '../src/index.ts'
import type { AccessTokenClaims, KeySource, Verifier } from '../src/index.ts'

export const ISSUER = 'https://issuer.test'
/** The time of all tests, in seconds since the epoch. */
export const NOW = 1_800_000_000

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
export const PEM = publicKey.export({ type: 'spki', format: 'pem' }).toString()
export const DER = publicKey.export({ type: 'spki', format: 'der' })

export async function publicJwk(kid = 'k1'): Promise<JWK> {
  return { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }
}

export const CLAIMS = {
  iss: ISSUER,
  aud: 'docling',
  sub: 'u1',
  client_id: 'waybill',
  iat: NOW,
  nbf: NOW,
  exp: NOW + 300,
  jti: 'j1',
  scope: 'memory.read tasks.read',
  principal: 'user',
  role: 'user',
}
export const HEADER: Record<string, unknown> = { typ: 'at+jwt', alg: 'ES256', kid: 'k1' }

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A token with a true ES256 signature over whatever is given: objects, or text where the spelling matters. */
export function forge(
  payload: unknown = CLAIMS,
  header: unknown = HEADER,
  key: KeyObject = privateKey,
): string {
  const input = `${encode(header)}.${encode(payload)}`
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

/** HS256 with a secret that is no secret: the attack on verifiers that take a public key for an HMAC key. */
export function forgeHmac(
  secret: string | Buffer,
  header: Record<string, unknown> = {},
  claims: unknown = CLAIMS,
): string {
  const input = `${encode({ ...HEADER, alg: 'HS256', ...header })}.${encode(claims)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

export function strangersKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

/** The one key of this issuer; `asked` holds every id that it was asked for. */
export async function keySource(): Promise<KeySource & { asked: string[] }> {
  const key = importKey(await publicJwk())
  const asked: string[] = []
  return {
    asked,
    find(kid) {
      asked.push(kid)
      return Promise.resolve(kid === 'k1' ? key : undefined)
    },
  }
}

/** `verify` of a verifier of its own. */
export async function verifying(
  options: Partial<Parameters<typeof createVerifier>[0]> = {},
): Promise<(token: string) => Promise<AccessTokenClaims>> {
  const made = await verifier(options)
  return (token) => made.verify(token)
}

export async function verifier(
  options: Partial<Parameters<typeof createVerifier>[0]> = {},
): Promise<Verifier> {
  return createVerifier({
    keys: await keySource(),
    issuer: ISSUER,
    audiences: ['docling', 'waybill'],
    skewSeconds: 30,
    maxLifetimeSeconds: 3_600,
    cacheSize: 100,
    now: () => NOW * 1000,
    ...options,
  })
}
