import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import type { Principal } from '@waybill/service-kit'
import { noBasket } from './baskets.ts'
import { pageOf, placeOf } from './cursor.ts'
import * as store from './store.ts'
import type { DumpRow } from './store.ts'
import type { Tables } from './tables.ts'
import { scopeOf } from './workspace.ts'
import type { Claimed } from './workspace.ts'

export interface DumpRequest extends Claimed {
  basket_id: string
  content: string
  source?: string | undefined
}

export interface DumpListRequest extends Claimed {
  limit: number
  cursor?: string | undefined
}

export type Dumps = ReturnType<typeof createDumps>

/** Raw text in the baskets of the caller's workspace. Each operation leaves its audit row in its own transaction. */
export function createDumps(database: Database<Tables>) {
  return {
    /** @throws Problem `not_found` when the workspace has no such basket */
    async create(caller: Principal, request: DumpRequest): Promise<DumpRow> {
      const { principal, workspaceId, claimed: details } = scopeOf(caller, request)
      const { basket_id: basketId, content, source = null } = request
      return database
        .withPrincipal(principal, async (tx) => {
          const dump = await store.insertDump(tx, { basket_id: basketId, content, source })
          const resource = `workspaces/${workspaceId}/baskets/${basketId}/dumps/${dump.id}`
          await recordAudit(tx, { action: 'dump.create', resource, outcome: 'success', details })
          return dump
        })
        .catch((error: unknown) => {
          // The foreign key judges, not a query before it: a basket that is deleted at this moment counts as gone.
          throw store.isMissingBasket(error) ? noBasket(basketId) : error
        })
    },

    /** One page of a basket's dumps. @throws Problem `not_found` */
    async list(caller: Principal, basketId: string, { limit, cursor, ...said }: DumpListRequest) {
      const { principal, workspaceId, claimed } = scopeOf(caller, said)
      const reader = { column: 'workspace_id', value: workspaceId } as const
      return database.withPrincipal(principal, async (tx) => {
        if (!(await store.findBasket(tx, reader, basketId))) throw noBasket(basketId)
        const after = cursor === undefined ? undefined : placeOf(cursor)
        const page = pageOf(await store.newestDumps(tx, basketId, { limit: limit + 1, after }), limit)
        const resource = `workspaces/${workspaceId}/baskets/${basketId}/dumps`
        const details = { found: page.items.length, ...claimed }
        await recordAudit(tx, { action: 'dump.list', resource, outcome: 'success', details })
        return page
      })
    },
  }
}
