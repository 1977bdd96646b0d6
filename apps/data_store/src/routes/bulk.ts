import { dataStore } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Records } from '../records/records.ts'
import { changer, writer } from './collection-user.ts'
import { answer, IDEMPOTENCY_KEY, REPLAYED, repeatableOf } from './written.ts'

const BULK = {
  auth: writer,
  exactIntegers: true,
  problems: [
    'bad_request',
    'insufficient_permission',
    'forbidden',
    'not_found',
    'conflict',
    'payload_too_large',
    'unprocessable',
    'precondition_required',
    'not_implemented',
    'upstream_failed',
  ],
  describes: { requestHeaders: IDEMPOTENCY_KEY, headers: REPLAYED },
} as const

/** Many records at once, all of them or none. */
export function bulkRoutes(records: Records, limits: { bulkBodyBytes: number }): Route[] {
  return [
    route(dataStore.createRecords, {
      ...BULK,
      bodyLimitBytes: limits.bulkBodyBytes,
      handle: async ({ params, body, principal, req }) => {
        const { records: given, on_conflict: onConflict } = body
        const request = { records: given, onConflict, repeatable: repeatableOf(req, body) }
        const written = await records.createMany(principal, params, request)
        return answer(201, written, { items: written.result })
      },
    }),
    route(dataStore.patchRecords, {
      ...BULK,
      auth: changer,
      handle: async ({ params, body, principal, req }) => {
        const { filter, data, max_affected: maxAffected } = body
        const request = { filter, data, maxAffected, repeatable: repeatableOf(req, body) }
        const written = await records.patchMany(principal, params, request)
        return answer(200, written, { affected: written.result })
      },
    }),
    route(dataStore.deleteRecords, {
      ...BULK,
      auth: changer,
      handle: async ({ params, body, principal, req }) => {
        const { filter, max_affected: maxAffected } = body
        const request = { filter, maxAffected, repeatable: repeatableOf(req, body) }
        const written = await records.deleteMany(principal, params, request)
        return answer(200, written, { affected: written.result })
      },
    }),
  ]
}
