import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { SigningKey, VerificationKey } from '@waybill/auth'
import { seal, unseal } from '@waybill/service-kit'
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose'
import { z } from 'zod'
import type { SealedKey } from '../store/keys.ts'

const ALGORITHM = 'ES256'

const publicMembers = { kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string(), y: z.string() }
const privateJwk = z.object({ ...publicMembers, d: z.string() })
const publicJwk = z.object(publicMembers)

/** A key as it stands in the JWKS document (RFC 7517). */
export type PublishedJwk = z.output<typeof publicJwk> & { kid: string; alg: string; use: 'sig' }

/** Both halves of one signing key. */
export interface KeyPair {
  signing: SigningKey
  verification: VerificationKey
  published: PublishedJwk
}

/** A new ES256 key, sealed; its id is its thumbprint (RFC 7638). */
export async function generateSealedKey(
  encryptionKey: Buffer,
): Promise<Pick<SealedKey, 'kid' | 'alg' | 'sealed'>> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true })
  const jwk = privateJwk.parse(await exportJWK(privateKey))
  const kid = await calculateJwkThumbprint(jwk)
  return { kid, alg: ALGORITHM, sealed: seal(encryptionKey, kid, Buffer.from(JSON.stringify(jwk))) }
}

/** Both halves of a sealed key. @throws Error when it was sealed with another key or has been tampered with */
export function openSealedKey(
  encryptionKey: Buffer,
  { kid, alg, sealed }: Pick<SealedKey, 'kid' | 'alg' | 'sealed'>,
): KeyPair {
  const jwk = privateJwk.parse(JSON.parse(unseal(encryptionKey, kid, sealed).toString()))
  const publicHalf = publicJwk.parse(jwk)
  return {
    signing: { kid, alg, privateKey: createPrivateKey({ key: jwk, format: 'jwk' }) },
    verification: { kid, alg, key: createPublicKey({ key: publicHalf, format: 'jwk' }) },
    published: { ...publicHalf, kid, alg, use: 'sig' },
  }
}
