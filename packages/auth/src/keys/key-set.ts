import { z } from 'zod'
import { importKey } from './import-key.ts'
import type { VerificationKey } from './verification-key.ts'

const documentSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) })

/**
 * The keys of a set (RFC 7517 section 5) that can verify signatures, by id. A set may hold keys for other uses: what
 * does not fit is passed over. But a set that mixes secrets with public keys, or names two keys alike, is refused whole:
 * whoever wrote it may mean another key than the one that would be found.
 * @throws Error
 */
export function importKeySet(document: unknown): Map<string, VerificationKey> {
  const { keys: entries } = documentSchema.parse(document)
  const secrets = entries.filter(({ kty }) => kty === 'oct').length
  if (secrets > 0 && secrets < entries.length) throw new Error('the set mixes secrets with public keys')
  const ids = entries.map(({ kid }) => kid).filter((kid) => kid !== undefined)
  if (new Set(ids).size < ids.length) throw new Error('the set holds two keys of the same id')
  const keys = new Map<string, VerificationKey>()
  for (const entry of entries) {
    try {
      const key = importKey(entry)
      keys.set(key.kid, key)
    } catch {
      // Passed over.
    }
  }
  return keys
}
