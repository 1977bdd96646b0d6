import type { Secret, UserPrincipal } from '@waybill/service-kit'

/** A user's key for a provider, decrypted for the one request that uses it. */
export interface OpenKey {
  id: string
  name: string
  /** Another one whenever another secret has taken its place. */
  version: string
  secret: Secret
  /** The key's own endpoint, for those who may have one; in place of the provider's base URL. */
  baseUrl?: string | undefined
}

export interface KeyRing {
  /**
   * The user's key for `provider`: the one with that name or id, else the default one.
   * @throws Problem forbidden with `reason: provider_key_missing` when there is none, unavailable when the store cannot be
   * reached, the same with
   * `reason: provider_key_unreadable` when it cannot be decrypted (a key-encryption key that is not configured); no message holds any of it
   */
  open(principal: UserPrincipal, provider: string, key?: string): Promise<OpenKey>
  /** The providers that the user has keys for. */
  providersOf(principal: UserPrincipal): Promise<readonly string[]>
}
