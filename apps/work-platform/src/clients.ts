import { substrateApi } from '@waybill/contracts'
import { DownstreamError } from '@waybill/http-client'
import type { InternalClient } from '@waybill/http-client'
import { Problem, requestContext } from '@waybill/service-kit'

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
  /** Where the workspace is told: in the token, or, to who sees no token, in the message. */
  tellWorkspace: 'in-token' | 'in-message'
}

/**
 * The baskets in substrate-api: on behalf of the user of the request; outside any request in this service's own name.
 * @throws Problem `unavailable`, `timeout` or `upstream_failed`, or what keeps the user from being acted for; `forbidden`
 *   when a basket of another workspace comes back
 */
export function createBasketsClient(options: BasketsClientOptions): BasketsClient {
  const { substrate, detailsTimeoutMs } = options
  const told = options.tellWorkspace === 'in-token' ? inToken : inMessage
  return {
    async create({ workspaceId, ...basket }) {
      const { said, ...input } = told(workspaceId)
      const body = { ...basket, ...said }
      const created = await substrate
        .call(substrateApi.createBasket, { ...input, body, idempotent: true })
        .catch(rethrow)
      return ofWorkspace(created, workspaceId)
    },
    async find({ workspaceId, id }) {
      const { said, ...input } = told(workspaceId)
      const found = await substrate
        .call(substrateApi.getBasket, { ...input, params: { id }, query: said })
        .catch((error: unknown) => (isMissing(error) ? null : rethrow(error)))
      return found && ofWorkspace(found, workspaceId)
    },
    async findAll(workspaceId, ids) {
      const { said, ...input } = told(workspaceId)
      const query = { ids: ids.join(','), ...said }
      const { items } = await substrate
        .call(substrateApi.listBaskets, { ...input, query, timeoutMs: detailsTimeoutMs })
        .catch(rethrow)
      return new Map(items.map((basket) => [basket.id, ofWorkspace(basket, workspaceId)]))
    },
    async remove({ workspaceId, id }, { timeoutMs } = {}) {
      const { said, ...input } = told(workspaceId)
      const limit = timeoutMs === undefined ? {} : { timeoutMs }
      return substrate
        .call(substrateApi.deleteBasket, { ...input, ...limit, params: { id }, query: said })
        .then(() => true)
        .catch((error: unknown) => (isMissing(error) ? false : rethrow(error)))
    },
  }
}

interface Told {
  /** For the token. */
  workspaceId?: string
  /** For the body or the query. */
  said: { workspace_id?: string; user_id?: string }
}

function inToken(workspaceId: string): Told {
  return { workspaceId, said: {} }
}

/** With the user for the audit of the other side, which cannot verify it. */
function inMessage(workspaceId: string): Told {
  const principal = requestContext()?.principal
  const user = principal?.kind === 'user' ? { user_id: principal.userId } : {}
  return { said: { workspace_id: workspaceId, ...user } }
}

/** A second look at what the other side is trusted to have limited. */
function ofWorkspace(basket: Basket, workspaceId: string): Basket {
  if (basket.workspace_id === workspaceId) return basket
  throw new Problem('forbidden', 'The basket is of another workspace.')
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
