import { substrateApi } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Guard, Principal, Route } from '@waybill/service-kit'
import type { Dumps } from '../dumps.ts'
import type { DumpRow } from '../store.ts'

export interface DumpRouteOptions {
  auth: Guard<Principal>
  bodyLimitBytes: number
}

export function dumpRoutes(dumps: Dumps, { auth, bodyLimitBytes }: DumpRouteOptions): Route[] {
  return [
    route(substrateApi.createDump, {
      auth,
      bodyLimitBytes,
      problems: ['workspace_required', 'not_found', 'payload_too_large'],
      handle: async ({ principal, body }) => asAnswered(await dumps.create(principal, body)),
    }),
    route(substrateApi.listDumps, {
      auth,
      problems: ['workspace_required', 'not_found'],
      handle: async ({ principal, params, query }) => {
        const { items, next_cursor } = await dumps.list(principal, params.id, query)
        return { items: items.map(asAnswered), next_cursor }
      },
    }),
  ]
}

function asAnswered(row: DumpRow): substrateApi.RawDump {
  return { ...row, created_at: row.created_at.toISOString() }
}
