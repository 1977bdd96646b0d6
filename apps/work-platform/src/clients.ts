import { substrateApi } from '@waybill/contracts'
import { DownstreamError } from '@waybill/http-client'
import type { InternalClient } from '@waybill/http-client'
import { Problem } from '@waybill/service-kit'

type Basket = substrateApi.Basket

/** Which basket of which workspace; the workspace is asserted in the token, so the caller must have checked it. */
interface BasketAddress {
  workspaceId: string
  id: string
}

export interface BasketsClient {
  /** The basket with that id, made if it is not there yet: asking twice does no harm. */
  create(basket: BasketAddress & { name: string; metadata: Record<string, unknown> }): Promise<Basket>
  /** null when there is none. */
  find(basket: BasketAddress): Promise<Basket | null>
  /** Those of `ids` that exist, by id, in one call. */
  findAll(workspaceId: string, ids: readonly string[]): Promise<Map<string, Basket>>
  /** Removes the basket with its dumps; gives back whether it was there. */
  remove(basket: BasketAddress, options?: { timeoutMs?: number }): Promise<boolean>
}

export interface BasketsClientOptions {
  substrate: InternalClient
  /** How long findAll() may take, in milliseconds. */
  detailsTimeoutMs: number
}

/**
 * The baskets in substrate-api: on behalf of the user of the request; outside any request in this service's own name.
 * @throws Problem `unavailable`, `timeout` or `upstream_failed`, or what keeps the user from being acted for
 */
export function createBasketsClient({ substrate, detailsTimeoutMs }: BasketsClientOptions): BasketsClient {
  return {
    async create({ workspaceId, ...body }) {
      return substrate.call(substrateApi.createBasket, { body, workspaceId, idempotent: true }).catch(rethrow)
    },
    async find({ workspaceId, id }) {
      return substrate
        .call(substrateApi.getBasket, { params: { id }, workspaceId })
        .catch((error: unknown) => (isMissing(error) ? null : rethrow(error)))
    },
    async findAll(workspaceId, ids) {
      const query = { ids: ids.join(',') }
      const { items } = await substrate
        .call(substrateApi.listBaskets, { query, workspaceId, timeoutMs: detailsTimeoutMs })
        .catch(rethrow)
      return new Map(items.map((basket) => [basket.id, basket]))
    },
    async remove({ workspaceId, id }, options = {}) {
      return substrate
        .call(substrateApi.deleteBasket, { params: { id }, workspaceId, ...options })
        .then(() => true)
        .catch((error: unknown) => (isMissing(error) ? false : rethrow(error)))
    },
  }
}

/** True when substrate-api (and not a token endpoint on the way to it) says that there is no such basket. */
function isMissing(error: unknown): boolean {
  return (
    error instanceof DownstreamError &&
    error.call.service === 'substrate-api' &&
    error.downstreamStatus === 404
  )
}

/** The calls are of this service's own making: when they are refused, the client can do nothing about it. */
function rethrow(error: unknown): never {
  const isRefusal =
    error instanceof DownstreamError
      ? error.call.service === 'substrate-api' && error.status >= 400 && error.status < 499
      : error instanceof Problem && error.code === 'forbidden'
  if (!isRefusal) throw error
  throw new Problem('upstream_failed', 'substrate-api refused a call of this service.', { cause: error })
}
