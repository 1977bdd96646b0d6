import { generateApiKey } from '@waybill/auth'
import type { authService } from '@waybill/contracts'

export interface TestKeyOptions {
  keyId?: string
  scope?: string
  role?: string
  tier?: string
  lifetimeSeconds?: number
}

export interface TestApiKeys {
  create(userId: string, options: TestKeyOptions): string
  revoke(keyId: string): void
  introspect(apiKey: string): authService.Introspection
}

/** API keys as an issuer keeps them, in memory. */
export function createTestApiKeys(issuer: string, usualScope: string): TestApiKeys {
  const keys = new Map<string, Extract<authService.Introspection, { active: true }>>()
  return {
    create(
      userId,
      { keyId = `key-of-${userId}`, scope = usualScope, role = 'user', tier, lifetimeSeconds = 3600 },
    ) {
      const apiKey = generateApiKey()
      const iat = Math.floor(Date.now() / 1000)
      keys.set(apiKey, {
        ...{
          active: true,
          token_type: 'api_key',
          iss: issuer,
          sub: userId,
          principal: 'user',
          client_id: keyId,
        },
        ...{ scope, role, key_id: keyId, iat, exp: iat + lifetimeSeconds },
        ...(tier !== undefined && { tier }),
      })
      return apiKey
    },
    revoke(keyId) {
      for (const [apiKey, { key_id }] of keys) if (key_id === keyId) keys.delete(apiKey)
    },
    introspect: (apiKey) => keys.get(apiKey) ?? { active: false },
  }
}
