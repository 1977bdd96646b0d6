import { env } from '@waybill/service-kit'
import { z } from 'zod'

/** The SHA-256 digests of each service's secrets: two while one is being replaced by the other. */
export type ClientHashes = ReadonlyMap<string, readonly Buffer[]>

const KEY_BYTES = 32
/** Of 32 random bytes about 30 differ; a key of zeros or of typed text has far fewer. */
const MIN_DIFFERENT_BYTES = 16

/** A key of 32 random bytes in base64, kept as a Secret. */
export function encryptionKey() {
  return env
    .secret()
    .refine((secret) => looksRandom(secret.reveal()), { error: 'must be 32 random bytes in base64' })
}

function looksRandom(text: string): boolean {
  const key = Buffer.from(text, 'base64')
  return (
    key.length === KEY_BYTES && key.toString('base64') === text && new Set(key).size >= MIN_DIFFERENT_BYTES
  )
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/i)
const clients = z.record(
  z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/),
  z.union([sha256.transform((hash) => [hash]), z.array(sha256).min(1).max(2)]),
)

/** SERVICE_CLIENTS. What is wrong with it is told without quoting any of it: somebody may have put the secrets there. */
export function clientHashes() {
  return z.string().transform((text, context): ClientHashes => {
    const result = clients.safeParse(parseJson(text))
    if (result.success) {
      return new Map(
        Object.entries(result.data).map(([name, hashes]) => [
          name,
          hashes.map((hash) => Buffer.from(hash, 'hex')),
        ]),
      )
    }
    context.addIssue({
      code: 'custom',
      message:
        'must be a JSON object from service names to the SHA-256 of their secret in hex (64 digits), or to a list of two',
    })
    return z.NEVER
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
