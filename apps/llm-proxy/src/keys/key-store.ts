import type { AuditEntry } from '@waybill/database'
import type { UserPrincipal } from '@waybill/service-kit'
import type { KeyIdentity } from './cipher.ts'

/** What is kept of the secret. */
export interface SealedSecret {
  sealed: Buffer
  /** The version of the key-encryption key. */
  kek: string
  /** The last four characters; empty for a key that is too short to show any. */
  lastFour: string
}

/** A key as it is kept: nothing of the secret can be read in it. */
export interface StoredKey extends KeyIdentity, SealedSecret {
  name: string
  isDefault: boolean
  createdAt: Date
  rotatedAt: Date | null
  checkedAt: Date | null
}

export interface NewKey extends KeyIdentity, SealedSecret {
  name: string
  /** Without it, the key is the default one where the user has none for the provider. */
  isDefault?: boolean | undefined
  /** Whether the provider has just said that it is good. */
  checked: boolean
}

export interface KeyChange {
  name?: string | undefined
  /** True takes it from the key that had it. */
  isDefault?: boolean | undefined
  /** Another secret; the check of the one before counts no more. */
  rotated?: SealedSecret | undefined
  /** The provider has just said that it is good. */
  checked?: boolean | undefined
}

/**
 * Where keys are. Row-level security decides whose keys are seen and touched; what is done and its row in the audit are there
 * together or not at all, or the audit says before that it is being done.
 */
export interface KeyStore {
  /** All keys of the user, the oldest first. @throws Problem unavailable, timeout */
  list(principal: UserPrincipal): Promise<StoredKey[]>
  /** @throws Problem conflict when the name is taken or the user has `most` keys; unavailable, timeout */
  add(principal: UserPrincipal, key: NewKey, most: number, audit: AuditEntry): Promise<StoredKey>
  /** Undefined when the user has no such key. @throws Problem conflict when the name is taken; unavailable, timeout */
  change(
    principal: UserPrincipal,
    id: string,
    change: KeyChange,
    audit: AuditEntry,
  ): Promise<StoredKey | undefined>
  /** Whether there was one. @throws Problem unavailable, timeout */
  remove(principal: UserPrincipal, id: string, audit: AuditEntry): Promise<boolean>
  /** A row in the audit for what changes nothing. @throws Problem unavailable, timeout */
  note(principal: UserPrincipal, audit: AuditEntry): Promise<void>
}
