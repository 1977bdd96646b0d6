import { user } from '@waybill/auth'
import { dataStore } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Records } from '../records.ts'

export function searchRoutes(records: Records): Route[] {
  return [
    route(dataStore.searchRecords, {
      auth: user('memory.read'),
      problems: ['unprocessable', 'not_implemented'],
      handle: async ({ params, body, principal }) => {
        const { vector, limit, include_vector: includeVector } = body
        return { items: await records.search(principal, params, { vector, limit, includeVector }) }
      },
    }),
  ]
}
