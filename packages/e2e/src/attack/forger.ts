import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import type { JsonWebKey } from 'node:crypto'

export type Json = Record<string, unknown>

/** The attacker's own key pair: made anew for each run, so that nobody can have reason to trust it. */
export const makeForgersKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
export type ForgersKey = ReturnType<typeof makeForgersKey>

export const publicJwk = ({ publicKey }: ForgersKey, kid = 'forger'): JsonWebKey => ({
  ...publicKey.export({ format: 'jwk' }),
  ...{ kid, alg: 'ES256', use: 'sig' },
})

/** Objects as JSON; text as it is, where the spelling is the attack. */
export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

export const unsigned = (header: unknown, payload: unknown): string => `${encode(header)}.${encode(payload)}`

export function signedEs256(header: unknown, payload: unknown, { privateKey }: ForgersKey): string {
  const input = unsigned(header, payload)
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

export function signedHs256(header: unknown, payload: unknown, secret: string | Buffer): string {
  const input = unsigned(header, payload)
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** The ways in which a public key has been handed to an HMAC by mistake. */
export function keyBytes(jwk: JsonWebKey): [name: string, bytes: string | Buffer][] {
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  const pem = key.export({ type: 'spki', format: 'pem' }).toString()
  const der = key.export({ type: 'spki', format: 'der' })
  return [
    ['PEM', pem],
    ['trimmed PEM', pem.trim()],
    ['PEM with CRLF', pem.replaceAll('\n', '\r\n')],
    ['PEM in one line', pem.replace(/-----[^-]+-----|\n/g, '')],
    ['DER', der],
    ['JWK', JSON.stringify(jwk)],
    ['bare JWK', JSON.stringify(key.export({ format: 'jwk' }))],
    ['x', Buffer.from(jwk.x ?? jwk.n ?? '', 'base64url')],
  ]
}

/** The same ECDSA signature, r and s in ASN.1 in place of side by side. */
export function derSignature(raw: Buffer): Buffer {
  const integer = (bytes: Buffer): Buffer => {
    let at = 0
    while (at < bytes.length - 1 && bytes[at] === 0) at += 1
    const short = bytes.subarray(at)
    const positive = (short[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.of(0), short]) : short
    return Buffer.concat([Buffer.of(0x02, positive.length), positive])
  }
  const half = raw.length / 2
  const both = Buffer.concat([integer(raw.subarray(0, half)), integer(raw.subarray(half))])
  return Buffer.concat([Buffer.of(0x30, both.length), both])
}

/** Header and payload of a token; undefined when it is no JWT. */
export function takeApart(token: string): { header: Json; payload: Json; signature: string } | undefined {
  const [header = '', payload = '', signature, ...rest] = token.split('.')
  if (signature === undefined || rest.length > 0) return undefined
  try {
    const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Json
    return { header: read(header), payload: read(payload), signature }
  } catch {
    return undefined
  }
}
