import { createHmac, createPublicKey, createVerify, generateKeyPairSync, sign, verify } from 'node:crypto'
import type { JsonWebKey } from 'node:crypto'
import type { Hole } from './weak-holes.ts'

const json = (part = ''): Record<string, unknown> =>
  JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

export class Refused extends Error {}

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const PEM = publicKey.export({ type: 'spki', format: 'pem' }).toString()
export const JWK = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' }

/** An API key that every server here accepts; it is ann's. */
export const GOOD_KEY = 'wb_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sTuVwXyZ'

/** A token that every server here accepts. */
export function goodToken(sub: string): string {
  const now = Math.floor(Date.now() / 1000)
  const input = `${encode({ alg: 'ES256', typ: 'at+jwt', kid: 'k1' })}.${encode({ sub, exp: now + 600 })}`
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

/** Who the token is of. Sound but for `hole`. */
export async function subjectOf(token: string, hole: Hole | undefined): Promise<string> {
  const [head = '', body = '', signature = '', ...more] = token.split('.')
  if (hole === 'crashes-on-odd-tokens') {
    const { alg } = json(head) as { alg: string }
    json(body)
    if (alg.toUpperCase() !== 'ES256') throw new Refused('alg')
  }
  const exact = [head, body, signature].every(
    (part) => Buffer.from(part, 'base64url').toString('base64url') === part,
  )
  if (hole !== 'lenient-base64' && (!exact || !head || !body || more.length > 0)) throw new Refused('shape')
  const header = attempt(() => json(head))
  const claims = attempt(() => json(body))
  const input = hole === 'lenient-base64' ? `${encode(header)}.${encode(claims)}` : `${head}.${body}`
  const bytes = Buffer.from(signature, 'base64url')
  if (!(await isSigned(header, input, bytes, hole))) throw new Refused('signature')
  const soon = typeof claims.exp === 'number' && claims.exp > Date.now() / 1000
  if (typeof claims.sub !== 'string' || !soon) throw new Refused('claims')
  return claims.sub
}

function attempt(work: () => Record<string, unknown> | null): Record<string, unknown> {
  try {
    const done = work()
    if (typeof done === 'object' && done !== null) return done
  } catch {
    // refused below
  }
  throw new Refused('json')
}

async function isSigned(
  header: Record<string, unknown>,
  input: string,
  bytes: Buffer,
  hole: Hole | undefined,
): Promise<boolean> {
  const { alg, kid } = header
  const hmac = (secret: string | Buffer): boolean =>
    alg === 'HS256' && createHmac('sha256', secret).update(input).digest().equals(bytes)
  const by = (key: unknown): boolean =>
    verify(
      'sha256',
      Buffer.from(input),
      { key: createPublicKey({ key: key as JsonWebKey, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
      bytes,
    )
  if (hole === 'alg-none' && String(alg).toLowerCase() === 'none') return true
  if (hole === 'public-key-as-hmac-secret' && hmac(PEM)) return true
  if (hole === 'weak-hmac-secret' && hmac('changeme')) return true
  if (hole === 'kid-as-path' && kid === '/dev/null' && hmac('')) return true
  if (hole === 'key-in-the-header' && header.jwk !== undefined) return by(header.jwk)
  if (hole === 'key-by-reference' && typeof header.jku === 'string') {
    const { keys } = (await (await fetch(header.jku)).json()) as { keys: unknown[] }
    return by(keys[0])
  }
  if (
    hole === 'own-key-trusted' &&
    alg === 'ES256' &&
    bytes.length === 64 &&
    !bytes.every((byte) => byte === 0)
  )
    return true
  if (hole === 'signature-not-checked') return alg === 'ES256'
  if (hole === 'zero-signature' && bytes.length === 64 && bytes.every((byte) => byte === 0)) return true
  if (hole === 'der-signature' && createVerify('sha256').update(input).verify(publicKey, bytes)) return true
  if (alg !== 'ES256' || kid !== 'k1' || bytes.length !== 64) return false
  return verify('sha256', Buffer.from(input), { key: publicKey, dsaEncoding: 'ieee-p1363' }, bytes)
}
