import { recordAudit } from '@waybill/database'
import type { AuditEntry, Database, Transaction } from '@waybill/database'
import { Problem, subjectOf } from '@waybill/service-kit'
import type { Principal } from '@waybill/service-kit'
import { pageOf, placeOf } from './cursor.ts'
import { checkMetadata } from './metadata.ts'
import type { MetadataLimits } from './metadata.ts'
import { reachOf } from './reach.ts'
import * as store from './store.ts'
import type { BasketRow } from './store.ts'
import type { Tables } from './tables.ts'
import { scopeOf } from './workspace.ts'
import type { Claimed } from './workspace.ts'

export interface BasketRequest extends Claimed {
  id?: string | undefined
  name: string
  metadata: Record<string, unknown>
}

export interface ListRequest extends Claimed {
  ids?: readonly string[] | undefined
  limit: number
  cursor?: string | undefined
}

export type Baskets = ReturnType<typeof createBaskets>

/**
 * The baskets of the caller's workspace, or those that the caller has made. Each operation leaves its audit row in the
 * transaction that does it.
 */
export function createBaskets(database: Database<Tables>, limits: MetadataLimits) {
  return {
    /**
     * The basket, and whether it is new: asking again with the same id of one's own gives the same basket.
     * @throws Problem `conflict` when the id stands for another basket; `validation_failed`, `payload_too_large`
     */
    async create(caller: Principal, request: BasketRequest): Promise<{ basket: BasketRow; isNew: boolean }> {
      const { principal, workspaceId, claimed } = scopeOf(caller, request)
      checkMetadata(request.metadata, limits)
      return database.withPrincipal(principal, async (tx) => {
        const created = await store.insertBasket(tx, request)
        const basket = created ?? (await sameAsBefore(tx, principal, request))
        const details = { repeated: created === undefined, ...claimed }
        await audit(tx, `workspaces/${workspaceId}`, { action: 'basket.create', id: basket.id, details })
        return { basket, isNew: created !== undefined }
      })
    },

    /** One page of the baskets, or all of `ids` that exist, whatever the limit, in one query. */
    async list(caller: Principal, { ids, limit, cursor, ...said }: ListRequest) {
      const { principal, reader, place, claimed } = reachOf(caller, said)
      return database.withPrincipal(principal, async (tx) => {
        const after = cursor === undefined ? undefined : placeOf(cursor)
        const page = ids
          ? { items: await store.findBaskets(tx, reader, ids), next_cursor: null }
          : pageOf(await store.newestBaskets(tx, reader, { limit: limit + 1, after }), limit)
        const details = { found: page.items.length, ...claimed }
        await audit(tx, place, { action: 'basket.list', details })
        return page
      })
    },

    /** @throws Problem `not_found`, for a basket that is out of the caller's reach too */
    async get(caller: Principal, id: string, said: Claimed = {}): Promise<BasketRow> {
      const { principal, reader, place, claimed } = reachOf(caller, said)
      return database.withPrincipal(principal, async (tx) => {
        const basket = await store.findBasket(tx, reader, id)
        if (!basket) throw noBasket(id)
        await audit(tx, place, { action: 'basket.read', id, details: claimed })
        return basket
      })
    },

    /** Deletes the basket with its dumps. @throws Problem `not_found` */
    async remove(caller: Principal, id: string, said: Claimed = {}): Promise<void> {
      const { principal, workspaceId, claimed } = scopeOf(caller, said)
      await database.withPrincipal(principal, async (tx) => {
        if (!(await store.deleteBasket(tx, id))) throw noBasket(id)
        await audit(tx, `workspaces/${workspaceId}`, { action: 'basket.delete', id, details: claimed })
      })
    },
  }
}

export function noBasket(id: string): Problem {
  return new Problem('not_found', `No basket ${id} here.`)
}

async function sameAsBefore(tx: Transaction<Tables>, principal: Principal, request: BasketRequest) {
  const { id, name, metadata } = request
  const same =
    id === undefined
      ? undefined
      : await store.findSameBasket(tx, { id, name, metadata, createdBy: subjectOf(principal) })
  if (!same) throw new Problem('conflict', `The id ${id ?? ''} stands for another basket of this workspace.`)
  return same
}

interface Audited {
  action: string
  id?: string
  details?: AuditEntry['details']
}

async function audit(tx: Transaction<Tables>, place: string, { action, id, details }: Audited) {
  const resource = `${place}/baskets${id === undefined ? '' : `/${id}`}`
  await recordAudit(tx, { action, resource, outcome: 'success', ...(details && { details }) })
}
