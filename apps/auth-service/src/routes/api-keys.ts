import { signedIn } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { ApiKeys, CreatedKey } from '../api-keys/api-keys.ts'
import type { ApiKeyRow } from '../store/api-keys.ts'

/** Keys are managed by who has logged in, and never with a key: a stolen one could make others that outlive it. */
export function apiKeyRoutes({ apiKeys }: { apiKeys: ApiKeys }): Route[] {
  return [
    route(authService.createApiKey, {
      auth: signedIn(),
      problems: ['insufficient_permission', 'conflict'],
      async handle({ body, principal }) {
        const { name, permissions, expires_in_days: days } = body
        return created(await apiKeys.create(principal, { name, permissions, days }))
      },
    }),

    route(authService.listApiKeys, {
      auth: signedIn(),
      handle: async ({ principal }) => ({ api_keys: (await apiKeys.list(principal)).map(described) }),
    }),

    route(authService.revokeApiKey, {
      auth: signedIn(),
      problems: ['not_found'],
      async handle({ params, principal }) {
        await apiKeys.revoke(principal, params.key_id)
        return undefined
      },
    }),

    route(authService.rotateApiKey, {
      auth: signedIn(),
      problems: ['not_found', 'insufficient_permission', 'conflict'],
      handle: async ({ params, body, principal }) =>
        created(await apiKeys.rotate(principal, params.key_id, body.overlap_seconds)),
    }),
  ]
}

function created(key: CreatedKey) {
  return { ...described(key), api_key: key.key.reveal() }
}

function described(key: ApiKeyRow) {
  return {
    key_id: key.id,
    name: key.name,
    prefix: key.prefix,
    permissions: key.permissions,
    created_at: key.createdAt.toISOString(),
    expires_at: key.expiresAt.toISOString(),
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
  }
}
