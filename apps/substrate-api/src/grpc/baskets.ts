import { anyOf, service, user } from '@waybill/auth'
import { rpc } from '@waybill/auth/grpc'
import type { Rpc } from '@waybill/auth/grpc'
import { substrateGrpc } from '@waybill/contracts'
import type { Guard, Principal, UserPrincipal } from '@waybill/service-kit'
import type { Baskets } from '../baskets.ts'
import type { BasketRow } from '../store.ts'
import { cameByOwnKey } from '../workspace.ts'

const workPlatform = service('work-platform')
const reader = user('memory.read')

/** A user with an API key of its own, and with no service in between: it reads what it made. */
const ownKey: Guard<UserPrincipal> = {
  ...reader,
  description: `${reader.description} and an API key, for what it made`,
  decide: (principal) =>
    !principal || cameByOwnKey(principal)
      ? reader.decide(principal)
      : {
          allowed: false,
          reason: 'forbidden',
          detail: 'This method is for the service work-platform, or for users with an API key of their own.',
        },
}
const reading = anyOf<Principal>(ownKey, workPlatform)

export function basketMethods(baskets: Baskets): Rpc[] {
  return [
    rpc(substrateGrpc.createBasket, {
      auth: workPlatform,
      handle: async ({ principal, message }) => {
        const { basket, isNew } = await baskets.create(principal, message)
        return { basket: asAnswered(basket), created: isNew }
      },
    }),
    rpc(substrateGrpc.getBasket, {
      auth: reading,
      handle: async ({ principal, message }) => asAnswered(await baskets.get(principal, message.id)),
    }),
    rpc(substrateGrpc.listBaskets, {
      auth: reading,
      handle: async ({ principal, message }) => {
        const { items, next_cursor } = await baskets.list(principal, message)
        return { items: items.map(asAnswered), ...(next_cursor !== null && { next_cursor }) }
      },
    }),
    rpc(substrateGrpc.deleteBasket, {
      auth: workPlatform,
      handle: async ({ principal, message }) => {
        await baskets.remove(principal, message.id)
        return {}
      },
    }),
  ]
}

function asAnswered(row: BasketRow) {
  return { ...row, created_at: row.created_at.toISOString() }
}
