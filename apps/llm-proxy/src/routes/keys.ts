import { signedIn } from '@waybill/auth'
import { llmProxy } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { StoredKey } from '../keys/key-store.ts'
import type { Keys } from '../keys/keys.ts'

/** Keys are managed by who has logged in, and never with an API key: a stolen one could add a key of the thief's, or delete all. */
export function keyRoutes(keys: Keys): Route[] {
  const auth = signedIn('agents.query')
  return [
    route(llmProxy.addKey, {
      auth,
      problems: ['insufficient_permission', 'conflict', 'unprocessable', 'upstream_failed', 'unavailable'],
      handle: async ({ body, principal }) => described(await keys.add(principal, body)),
    }),
    route(llmProxy.listKeys, {
      auth,
      problems: ['unavailable'],
      handle: async ({ query, principal }) => ({
        keys: (await keys.list(principal, query.provider)).map(described),
      }),
    }),
    route(llmProxy.readKey, {
      auth,
      problems: ['not_found', 'unavailable'],
      handle: async ({ params, principal }) => described(await keys.read(principal, params.id)),
    }),
    route(llmProxy.changeKey, {
      auth,
      problems: ['not_found', 'conflict', 'unavailable'],
      handle: async ({ params, body, principal }) => described(await keys.change(principal, params.id, body)),
    }),
    route(llmProxy.rotateKey, {
      auth,
      problems: ['not_found', 'unprocessable', 'upstream_failed', 'unavailable'],
      handle: async ({ params, body, principal }) =>
        described(await keys.rotate(principal, params.id, body.key, body.check ?? false)),
    }),
    route(llmProxy.removeKey, {
      auth,
      problems: ['not_found', 'unavailable'],
      async handle({ params, principal }) {
        await keys.remove(principal, params.id)
        return undefined
      },
    }),
    route(llmProxy.checkKey, {
      auth,
      problems: ['not_found', 'insufficient_permission', 'unavailable'],
      async handle({ params, principal }) {
        const { result, key } = await keys.check(principal, params.id)
        return { result, key: described(key) }
      },
    }),
  ]
}

function described(key: StoredKey): llmProxy.ProviderKey {
  return {
    id: key.id,
    provider: key.provider,
    name: key.name,
    base_url: key.baseUrl,
    last_four: key.lastFour === '' ? null : key.lastFour,
    default: key.isDefault,
    created_at: key.createdAt.toISOString(),
    rotated_at: key.rotatedAt?.toISOString() ?? null,
    checked_at: key.checkedAt?.toISOString() ?? null,
  }
}
