import { createHash, createSecretKey } from 'node:crypto'
import type { Secret } from '@waybill/service-kit'
import type { SigningKey } from '../token/issue.ts'
import type { KeySource, VerificationKey } from './verification-key.ts'

/** The one key of an issuer that shares a secret with every service (HS256): each of them can sign with it as well. */
export interface SharedKey extends KeySource {
  verification: VerificationKey
  signing: SigningKey
}

const ALGORITHM = 'HS256'
const MIN_SECRET_BYTES = 32
const KEY_ID_CHARS = 16

/**
 * The key that a secret stands for. Its id comes from the secret, so that issuer and services agree on it, and a token
 * that was signed with an older secret is told from one that was tampered with.
 * @throws RangeError for a secret of fewer than 32 bytes (RFC 7518 section 3.2)
 */
export function sharedKey(secret: Secret): SharedKey {
  const bytes = Buffer.from(secret.reveal())
  if (bytes.length < MIN_SECRET_BYTES) throw new RangeError('is shorter than 32 bytes')
  const kid = createHash('sha256')
    .update('waybill/kid')
    .update(bytes)
    .digest('base64url')
    .slice(0, KEY_ID_CHARS)
  const key = createSecretKey(bytes)
  const verification = { kid, alg: ALGORITHM, key }
  return {
    verification,
    signing: { kid, alg: ALGORITHM, privateKey: key },
    find: (wanted) => Promise.resolve(wanted === kid ? verification : undefined),
    holds: (wanted) => wanted === kid,
  }
}
