import { user } from '@waybill/auth'
import { dataStore } from '@waybill/contracts'
import { reply, route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { StoredRecord } from '../backend.ts'
import { etagOf, readIfMatch } from '../if-match.ts'
import type { Records } from '../records.ts'

const IF_MATCH = {
  'If-Match': 'The ETag that the record must have still, several of them, or * (RFC 9110 section 13.1.1)',
}
const CONDITIONAL = ['bad_request', 'precondition_failed', 'precondition_required'] as const

/** What the two ways to change a record have in common. */
const CHANGE = {
  problems: [...CONDITIONAL, 'not_found', 'payload_too_large', 'unprocessable', 'not_implemented'],
  describes: { requestHeaders: IF_MATCH, headers: { ETag: 'The new version' } },
} as const

export function recordRoutes(records: Records, limits: { bulkBodyBytes: number }): Route[] {
  return [
    route(dataStore.createRecord, {
      auth: user('memory.write'),
      problems: ['conflict', 'payload_too_large', 'unprocessable', 'not_implemented'],
      handle: async ({ params, body, principal }) => {
        const record = await records.create(principal, params, body)
        const path = `/v1/${params.backend}/collections/${params.collection}/records/${encodeURIComponent(record.id)}`
        return reply(201, record, { Location: path, ETag: etagOf(record.version) })
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
        return withETag(await records.read(principal, params, params.id))
      },
    }),
    route(dataStore.replaceRecord, {
      ...CHANGE,
      auth: user('memory.write'),
      handle: async ({ params, body: { data }, principal, req }) => {
        const ifMatch = readIfMatch(req.get('If-Match'))
        return withETag(await records.replace(principal, params, params.id, { data, ifMatch }))
      },
    }),
    route(dataStore.patchRecord, {
      ...CHANGE,
      auth: user('memory.write'),
      handle: async ({ params, body: { data }, principal, req }) => {
        const ifMatch = readIfMatch(req.get('If-Match'))
        return withETag(await records.patch(principal, params, params.id, { data, ifMatch }))
      },
    }),
    route(dataStore.deleteRecord, {
      auth: user('memory.write'),
      problems: [...CONDITIONAL, 'not_found', 'not_implemented'],
      describes: { requestHeaders: IF_MATCH },
      handle: async ({ params, principal, req }) => {
        await records.delete(principal, params, params.id, readIfMatch(req.get('If-Match')))
        return undefined
      },
    }),
  ]
}

function withETag(record: StoredRecord): ReturnType<typeof reply> {
  return reply(200, record, { ETag: etagOf(record.version) })
}
