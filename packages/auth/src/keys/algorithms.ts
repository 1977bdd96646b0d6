import { constants, createHmac, timingSafeEqual, verify } from 'node:crypto'
import type { KeyObject, VerifyKeyObjectInput } from 'node:crypto'
import type { VerificationKey } from './verification-key.ts'

/** One signature algorithm (RFC 7518 section 3, RFC 8037) and the only keys that it may be used with. */
interface Algorithm {
  kty: 'EC' | 'RSA' | 'OKP' | 'oct'
  /** Of EC and OKP keys. */
  crv?: string
  /** Undefined where the algorithm has its own. */
  hash?: string
  /** The shortest secret, in bytes: that of the hash (RFC 7518 section 3.2). */
  minBytes?: number
  options?: Omit<VerifyKeyObjectInput, 'key'>
}

const ecdsa = (crv: string, hash: string): Algorithm => ({
  ...{ kty: 'EC', crv, hash },
  options: { dsaEncoding: 'ieee-p1363' },
})
const rsa = (hash: string): Algorithm => ({ kty: 'RSA', hash })
const pss = (hash: string): Algorithm => ({
  ...{ kty: 'RSA', hash },
  options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
})
const hmac = (hash: string, minBytes: number): Algorithm => ({ kty: 'oct', hash, minBytes })
const eddsa: Algorithm = { kty: 'OKP', crv: 'Ed25519' }

export const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  ['ES256', ecdsa('P-256', 'sha256')],
  ['ES384', ecdsa('P-384', 'sha384')],
  ['ES512', ecdsa('P-521', 'sha512')],
  ['RS256', rsa('sha256')],
  ['RS384', rsa('sha384')],
  ['RS512', rsa('sha512')],
  ['PS256', pss('sha256')],
  ['PS384', pss('sha384')],
  ['PS512', pss('sha512')],
  ['EdDSA', eddsa],
  ['Ed25519', eddsa],
  ['HS256', hmac('sha256', 32)],
  ['HS384', hmac('sha384', 48)],
  ['HS512', hmac('sha512', 64)],
])

/** Whether `signature` over `signed` was made by the holder of the key, with the key's one algorithm. */
export function hasValidSignature(
  { alg, key }: VerificationKey,
  signed: string,
  signature: Uint8Array,
): boolean {
  const algorithm = ALGORITHMS.get(alg)
  if (!algorithm || (algorithm.kty === 'oct') !== (key.type === 'secret')) return false
  if (algorithm.kty === 'oct') return sameMac(algorithm.hash ?? '', key, signed, signature)
  try {
    return verify(algorithm.hash, Buffer.from(signed), { ...algorithm.options, key }, signature)
  } catch {
    return false // a signature that cannot even be read, of the wrong length for one
  }
}

function sameMac(hash: string, key: KeyObject, signed: string, mac: Uint8Array): boolean {
  const expected = createHmac(hash, key).update(signed).digest()
  return expected.length === mac.length && timingSafeEqual(expected, mac)
}
