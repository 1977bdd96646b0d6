import { user } from '@waybill/auth'
import { dataStore } from '@waybill/contracts'
import { reply, route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { StoredRecord } from '../backend.ts'
import type { Records } from '../records.ts'

export function recordRoutes(records: Records, limits: { bulkBodyBytes: number }): Route[] {
  return [
    route(dataStore.createRecord, {
      auth: user('memory.write'),
      problems: ['conflict', 'payload_too_large', 'unprocessable', 'not_implemented'],
      handle: async ({ params, body, principal }) => {
        const record = await records.create(principal, params, body)
        const path = `/v1/${params.backend}/collections/${params.collection}/records/${encodeURIComponent(record.id)}`
        return reply(201, record, { Location: path, ETag: etagOf(record) })
      },
    }),
    route(dataStore.createRecords, {
      auth: user('memory.write'),
      bodyLimitBytes: limits.bulkBodyBytes,
      problems: ['conflict', 'payload_too_large', 'unprocessable', 'not_implemented'],
      handle: async ({ params, body, principal }) => ({
        items: await records.createMany(principal, params, body.records),
      }),
    }),
    route(dataStore.listRecords, {
      auth: user('memory.read'),
      problems: ['not_implemented'],
      handle: ({ params, query, principal }) => {
        const { limit, cursor, include_vector } = query
        return records.list(principal, params, { limit, cursor, includeVector: include_vector === 'true' })
      },
    }),
    route(dataStore.getRecord, {
      auth: user('memory.read'),
      problems: ['not_found', 'not_implemented'],
      handle: async ({ params, principal }) => {
        const record = await records.read(principal, params, params.id)
        return reply(200, record, { ETag: etagOf(record) })
      },
    }),
    route(dataStore.deleteRecord, {
      auth: user('memory.write'),
      problems: ['not_found', 'not_implemented'],
      handle: async ({ params, principal }) => {
        await records.delete(principal, params, params.id)
        return undefined
      },
    }),
  ]
}

function etagOf({ version }: StoredRecord): string {
  return `"${String(version)}"`
}
