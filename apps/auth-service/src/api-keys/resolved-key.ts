import type { Secret } from '@waybill/service-kit'

/** What an API key allows at this moment. */
export interface ResolvedKey {
  keyId: string
  user: { id: string; username: string; email: string; role: string; tier: string; tenantId: string | null }
  /** What the key was given and the owner still has. */
  permissions: string[]
  createdAt: Date
  expiresAt: Date
}

/** Looks up an API key; undefined when there is none, or it is expired or revoked, or its owner is disabled. */
export type ResolveKey = (apiKey: Secret) => Promise<ResolvedKey | undefined>
