import { substrateApi } from '@waybill/contracts'
import { reply, route } from '@waybill/service-kit'
import type { Guard, Principal, Route } from '@waybill/service-kit'
import type { Baskets } from '../baskets.ts'
import type { BasketRow } from '../store.ts'

export function basketRoutes(baskets: Baskets, { auth }: { auth: Guard<Principal> }): Route[] {
  return [
    route(substrateApi.createBasket, {
      auth,
      problems: ['workspace_required', 'conflict', 'payload_too_large'],
      handle: async ({ principal, body }) => {
        const { basket, isNew } = await baskets.create(principal, body)
        return reply(isNew ? 201 : 200, asAnswered(basket))
      },
    }),
    route(substrateApi.listBaskets, {
      auth,
      problems: ['workspace_required'],
      handle: async ({ principal, query }) => {
        const { items, next_cursor } = await baskets.list(principal, query)
        return { items: items.map(asAnswered), next_cursor }
      },
    }),
    route(substrateApi.getBasket, {
      auth,
      problems: ['workspace_required', 'not_found'],
      handle: async ({ principal, params, query }) =>
        asAnswered(await baskets.get(principal, params.id, query)),
    }),
    route(substrateApi.deleteBasket, {
      auth,
      problems: ['workspace_required', 'not_found'],
      handle: async ({ principal, params, query }) => {
        await baskets.remove(principal, params.id, query)
        return undefined
      },
    }),
  ]
}

function asAnswered(row: BasketRow): substrateApi.Basket {
  return { ...row, created_at: row.created_at.toISOString() }
}
