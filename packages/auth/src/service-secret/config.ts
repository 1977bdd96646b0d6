import { z } from 'zod'
import type { ServiceSecretHashes } from './secrets.ts'

const sha256 = z.string().regex(/^[0-9a-f]{64}$/i)
const one = z.union([
  sha256.transform((hash) => ({ sha256: hash, expires_at: undefined })),
  z.strictObject({ sha256, expires_at: z.iso.datetime({ offset: true }).optional() }),
])
const secrets = z.record(
  z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/),
  z.union([one.transform((only) => [only]), z.array(one).min(1).max(2)]),
)

/**
 * SERVICE_SECRETS: which services may come with a static secret, as a variable of the environment. What is wrong with it
 * is told without quoting any of it: somebody may have put the secrets themselves there.
 */
export function serviceSecretHashes() {
  return z
    .string()
    .default('{}')
    .transform((text, context): ServiceSecretHashes => {
      const result = secrets.safeParse(parseJson(text))
      if (result.success)
        return new Map(Object.entries(result.data).map(([name, list]) => [name, list.map(read)]))
      context.addIssue({
        code: 'custom',
        message:
          'must be a JSON object from service names to the SHA-256 of their secret in hex (64 digits), or {"sha256", "expires_at"}, or a list of two',
      })
      return z.NEVER
    })
}

function read(entry: z.output<typeof one>) {
  const { sha256: hex, expires_at: end } = entry
  return { hash: Buffer.from(hex, 'hex'), expiresAt: end === undefined ? undefined : new Date(end) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
