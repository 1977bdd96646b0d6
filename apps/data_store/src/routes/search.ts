import { dataStore } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Records } from '../records/records.ts'
import { reader } from './collection-user.ts'

export function searchRoutes(records: Records): Route[] {
  return [
    route(dataStore.searchRecords, {
      auth: reader,
      problems: [
        'insufficient_permission',
        'not_found',
        'unprocessable',
        'not_implemented',
        'upstream_failed',
      ],
      handle: async ({ params, body, principal }) => {
        const { text, vector, limit, include_vector: includeVector } = body
        return { items: await records.search(principal, params, { text, vector, limit, includeVector }) }
      },
    }),
  ]
}
