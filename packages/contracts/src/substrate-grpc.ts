import { z } from 'zod'
import { struct, structOf } from './struct.ts'
import { basket, basketId, basketIds, basketPage, newBasket } from './substrate-api.ts'

/**
 * The baskets of substrate-api over gRPC: the messages of proto/waybill/substrate/v1/baskets.proto, held to the schemas
 * of the REST API.
 */

/** The .proto file, for @grpc/proto-loader. */
export const PROTO = new URL('../proto/waybill/substrate/v1/baskets.proto', import.meta.url)
/** How it is to be loaded, so that names stay as they are and a field that is not set is absent. */
export const LOADING = { keepCase: true, defaults: false } as const
export const BASKET_SERVICE = 'waybill.substrate.v1.BasketService'

const answered = basket.extend({ metadata: basket.shape.metadata.transform(structOf) })

export const createBasket = {
  path: `${BASKET_SERVICE}/CreateBasket`,
  input: newBasket.extend({ metadata: struct.optional().transform((metadata) => metadata ?? {}) }),
  output: z.object({ basket: answered, created: z.boolean() }),
} as const

export const getBasket = {
  path: `${BASKET_SERVICE}/GetBasket`,
  input: basketId,
  output: answered,
} as const

export const listBaskets = {
  path: `${BASKET_SERVICE}/ListBaskets`,
  input: basketPage.extend({ ids: basketIds.optional() }),
  output: z.object({ items: z.array(answered), next_cursor: z.string().optional() }),
} as const

export const deleteBasket = {
  path: `${BASKET_SERVICE}/DeleteBasket`,
  input: basketId,
  output: z.object({}),
} as const
