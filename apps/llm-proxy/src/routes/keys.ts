import { signedIn } from '@waybill/auth'
import { llmProxy } from '@waybill/contracts'
import { enforceQuotas, route } from '@waybill/service-kit'
import type { Counter, Route, RouteInput, UserPrincipal } from '@waybill/service-kit'
import type { StoredKey } from '../keys/key-store.ts'
import type { Keys } from '../keys/keys.ts'

type Input = RouteInput<unknown, unknown, unknown, UserPrincipal>

/** Keys are managed by who has logged in, and never with an API key: a stolen one could add a key of the thief's, or delete all. */
export function keyRoutes(keys: Keys, checks: Counter): Route[] {
  const auth = signedIn('agents.query')
  /** Each check is a call to somebody else's service, in our name. @throws Problem rate_limited */
  const countCheck = async ({ res, principal }: Pick<Input, 'res' | 'principal'>) => {
    enforceQuotas(res, [await checks(principal.userId)])
  }
  return [
    route(llmProxy.addKey, {
      auth,
      problems: ['insufficient_permission', 'conflict', 'unprocessable', 'upstream_failed', 'unavailable'],
      async handle({ res, body, principal }) {
        if (body.check) await countCheck({ res, principal })
        return described(await keys.add(principal, body))
      },
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
      async handle({ res, params, body, principal }) {
        if (body.check) await countCheck({ res, principal })
        return described(await keys.rotate(principal, params.id, body.key, body.check ?? false))
      },
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
      async handle({ res, params, principal }) {
        await countCheck({ res, principal })
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
