import { dataStore } from '@waybill/contracts'
import { refuseInexactIntegers, reply, route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Request } from 'express'
import { etagOf, readIfMatch, readIfNoneMatch } from '../records/if-match.ts'
import type { Preconditions } from '../records/if-match.ts'
import type { Records } from '../records/records.ts'
import { changer, reader, writer } from './collection-user.ts'
import { answer, answerRecord, IDEMPOTENCY_KEY, REPLAYED, repeatableOf } from './written.ts'

const PRECONDITIONS = {
  'If-Match': 'The ETag that the record must have still, several of them, or * (RFC 9110 section 13.1.1)',
  'If-None-Match':
    '*: only if there is no such record; ETags: only if it has none of them (RFC 9110 section 13.1.2)',
}
const CONDITIONAL = ['precondition_failed', 'precondition_required'] as const
const ANY = [
  'bad_request',
  'insufficient_permission',
  'not_found',
  'not_implemented',
  // A backend that fails.
  'upstream_failed',
] as const
const WRITE = [...ANY, 'forbidden', 'conflict', 'unprocessable'] as const

/** What the ways to change a record have in common. */
const CHANGE = {
  auth: changer,
  exactIntegers: true,
  problems: [...WRITE, ...CONDITIONAL, 'payload_too_large'],
  describes: {
    requestHeaders: { ...PRECONDITIONS, ...IDEMPOTENCY_KEY },
    headers: { ETag: 'The new version', ...REPLAYED },
  },
} as const

/** One record at a time, and lists of them. */
export function recordRoutes(records: Records): Route[] {
  return [
    route(dataStore.createRecord, {
      auth: writer,
      exactIntegers: true,
      problems: [...WRITE, 'payload_too_large'],
      describes: {
        requestHeaders: IDEMPOTENCY_KEY,
        headers: { Location: 'The path of the record', ETag: 'Its version', ...REPLAYED },
      },
      handle: async ({ params, body, principal, req }) => {
        const request = { ...body, repeatable: repeatableOf(req, body) }
        const written = await records.create(principal, params, request)
        return answerRecord(201, written, { Location: pathOf(params, written.result.id) })
      },
    }),
    route(dataStore.listRecords, {
      auth: reader,
      problems: [...ANY, 'unprocessable'],
      handle: ({ params, query: { include_vector, ...page }, principal, req }) => {
        const { filter } = req.query
        if (typeof filter === 'string') refuseInexactIntegers(Buffer.from(filter))
        return records.query(principal, params, { ...page, includeVector: include_vector === 'true' })
      },
    }),
    route(dataStore.queryRecords, {
      auth: reader,
      exactIntegers: true,
      problems: [...ANY, 'unprocessable'],
      handle: ({ params, body: { include_vector: includeVector, ...page }, principal }) =>
        records.query(principal, params, { ...page, includeVector }),
    }),
    route(dataStore.getRecord, {
      auth: reader,
      problems: ANY,
      handle: async ({ params, principal }) => {
        const record = await records.read(principal, params, params.id)
        return reply(200, record, { ETag: etagOf(record.version) })
      },
    }),
    route(dataStore.replaceRecord, {
      ...CHANGE,
      describes: {
        requestHeaders: CHANGE.describes.requestHeaders,
        headers: { ...CHANGE.describes.headers, Location: 'The path of a record that was created' },
        otherwise: { 201: 'Created, with upsert=true where there was none' },
      },
      handle: async ({ params, query, body, principal, req }) => {
        const request = {
          ...body,
          id: params.id,
          ...preconditionsOf(req),
          repeatable: repeatableOf(req, body),
        }
        if (query.upsert === 'false') {
          return answerRecord(200, await records.replace(principal, params, request))
        }
        const written = await records.upsert(principal, params, request)
        if (written.result.version > 1) return answerRecord(200, written)
        return answerRecord(201, written, { Location: pathOf(params, params.id) })
      },
    }),
    route(dataStore.patchRecord, {
      ...CHANGE,
      describes: { ...CHANGE.describes, mediaTypes: ['application/merge-patch+json'] },
      handle: async ({ params, body, principal, req }) => {
        const request = {
          ...body,
          id: params.id,
          ...preconditionsOf(req),
          repeatable: repeatableOf(req, body),
        }
        return answerRecord(200, await records.patch(principal, params, request))
      },
    }),
    route(dataStore.deleteRecord, {
      auth: writer,
      problems: [...WRITE, ...CONDITIONAL],
      describes: { requestHeaders: { ...PRECONDITIONS, ...IDEMPOTENCY_KEY }, headers: REPLAYED },
      handle: async ({ params, principal, req }) => {
        const request = { id: params.id, ...preconditionsOf(req), repeatable: repeatableOf(req) }
        return answer(204, await records.delete(principal, params, request))
      },
    }),
  ]
}

/** @throws Problem `bad_request` */
function preconditionsOf(req: Request): Preconditions {
  return {
    ifMatch: readIfMatch(req.get('If-Match')),
    ifNoneMatch: readIfNoneMatch(req.get('If-None-Match')),
  }
}

function pathOf({ backend, collection }: { backend: string; collection: string }, id: string): string {
  return `/v1/${backend}/collections/${collection}/records/${encodeURIComponent(id)}`
}
