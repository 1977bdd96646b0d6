import { createPublicKey, createSecretKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { z } from 'zod'
import { ALGORITHMS } from './algorithms.ts'
import type { VerificationKey } from './verification-key.ts'

const MIN_RSA_BITS = 2048
const MIN_RSA_EXPONENT = 65_537n

/** RFC 7517 section 4. Members of private keys are not among the public ones, so that none is read by mistake. */
const jwkSchema = z.looseObject({
  kty: z.enum(['EC', 'RSA', 'OKP', 'oct']),
  kid: z.string().min(1).max(256),
  alg: z.string(),
  use: z.literal('sig').optional(),
  key_ops: z
    .array(z.string())
    .refine((ops) => ops.includes('verify'))
    .optional(),
  crv: z.string().optional(),
  k: z.string().optional(),
})
type Jwk = z.output<typeof jwkSchema>

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth']

/**
 * A JSON Web Key that may verify signatures of the one algorithm that it names: of the type, curve and size that this
 * algorithm asks for, meant for signatures by `use` and `key_ops`, and public unless it is a secret of HMAC.
 * @throws Error naming what is wrong with it
 */
export function importKey(document: unknown): VerificationKey {
  const jwk = jwkSchema.parse(document)
  const algorithm = ALGORITHMS.get(jwk.alg)
  if (algorithm?.kty !== jwk.kty || algorithm.crv !== jwk.crv) {
    throw new Error('alg, kty and crv do not belong together')
  }
  if (PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member))) throw new Error('the key is not public')
  const key = jwk.kty === 'oct' ? secretKey(jwk, algorithm.minBytes ?? 0) : publicKey(jwk)
  return { kid: jwk.kid, alg: jwk.alg, key }
}

function secretKey({ k = '' }: Jwk, minBytes: number): KeyObject {
  const bytes = Buffer.from(k, 'base64url')
  if (bytes.toString('base64url') !== k) throw new Error('k is not canonical base64url')
  if (bytes.length < minBytes) throw new Error('the secret is too short for its algorithm')
  return createSecretKey(bytes)
}

function publicKey(jwk: Jwk): KeyObject {
  const key = createPublicKey({ key: jwk, format: 'jwk' }) // Node checks each member that it reads
  const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {}
  if (jwk.kty !== 'RSA') return key
  if (modulusLength === undefined || modulusLength < MIN_RSA_BITS) throw new Error('the modulus is too short')
  if (publicExponent === undefined || publicExponent < MIN_RSA_EXPONENT) {
    throw new Error('the exponent is too small')
  }
  return key
}
