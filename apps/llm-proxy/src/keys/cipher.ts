import { seal, Secret, unseal } from '@waybill/service-kit'
import type { Problem, SealingKey } from '@waybill/service-kit'
import type { KeyEncryptionKeys } from './key-encryption-keys.ts'
import { keyUnreadable } from './key-problems.ts'

/** What a sealed key is bound to beside the version of its key-encryption key. None of it ever changes. */
export interface KeyIdentity {
  id: string
  userId: string
  provider: string
  /** Bound too, so that whoever can write rows cannot have the key sent elsewhere. */
  baseUrl: string | null
}

export interface KeyCipher {
  /** Under the first version, with a nonce of its own. */
  seal(identity: KeyIdentity, secret: Secret): { sealed: Buffer; kek: string }
  /**
   * The secret.
   * @throws Problem unavailable with `reason: provider_key_unreadable`, with a cause that says which row and why, and nothing of
   * what is in it: the version is not configured, or the row is not the one that was sealed
   */
  open(row: KeyIdentity & { sealed: Buffer; kek: string }): Secret
  /** Whether the row is sealed under the first version. */
  isCurrent(row: { kek: string }): boolean
}

export function createKeyCipher(keys: KeyEncryptionKeys): KeyCipher {
  return {
    seal(identity, secret) {
      const { version, key } = keys.current
      return { sealed: seal(key, labelOf(identity, version), Buffer.from(secret.reveal())), kek: version }
    },
    open(row) {
      const key = keys.find(row.kek)
      if (!key) {
        throw cannotOpen(
          row,
          `it was sealed under ${row.kek}, which is not among PROVIDER_KEY_ENCRYPTION_KEYS`,
        )
      }
      const plain = unsealed(key, row)
      if (!plain) {
        throw cannotOpen(
          row,
          `it is not what was sealed under ${row.kek}: the row was copied or changed, or ${row.kek} is another key now`,
        )
      }
      const secret = new Secret(plain.toString())
      plain.fill(0)
      return secret
    },
    isCurrent: ({ kek }) => kek === keys.current.version,
  }
}

/** As JSON, in which no two rows read alike, whatever stands in their fields. */
function labelOf({ id, userId, provider, baseUrl }: KeyIdentity, version: string): string {
  return JSON.stringify(['waybill/provider-key', version, id, userId, provider, baseUrl])
}

function unsealed(key: SealingKey, row: KeyIdentity & { sealed: Buffer; kek: string }): Buffer | undefined {
  try {
    return unseal(key, labelOf(row, row.kek), row.sealed)
  } catch {
    return undefined // why, it never says
  }
}

function cannotOpen({ id }: { id: string }, why: string): Problem {
  return keyUnreadable(id, new Error(`The provider key ${id} does not open: ${why}.`))
}
