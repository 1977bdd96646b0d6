import { z } from 'zod'
import { auditFields, auditOutcome } from './audit.ts'
import { endpoint } from './endpoint.ts'

/**
 * data_store: the user's records, by collection, in one of several backends. Whose a record is comes from the
 * credential alone; nobody sees or touches another user's. Structural rules only; the limits in bytes, of depth and of
 * a vector's length are settings of the service.
 */

const service = 'data_store' as const
const COLLECTION = '/v1/:backend/collections/:collection'

/** `postgres`, `lancedb`; see listBackends. */
export const backendName = z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, 'is not the name of a backend')

/** A collection exists with its first record. Lower case, so that it means the same on every file system. */
export const collectionName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,62}$/, 'must be a lower-case letter, then up to 62 of a-z, 0-9, _ and -')

/** Unique within one user's collection. One that the service makes is a UUID that grows with time (version 7). */
export const recordId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/,
    'must be a letter or digit, then up to 127 of those, ., _, : and -',
  )

/**
 * In `lancedb`, `data.vector` is what the record is found by: finite numbers, not all 0, kept as 32-bit floats, as many as in
 * the user's other records of the collection.
 */
export const recordData = z.record(z.string(), z.unknown())

export const record = z.object({
  id: recordId,
  data: recordData,
  /** Counted from 1; the ETag of a single record is this number in quotes. */
  version: z.int().positive(),
  /** The user's id. */
  owner: z.string(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
})
export type Record = z.output<typeof record>

/** 1 is the same direction, 0 nothing in common, -1 the opposite (cosine similarity). */
export const scoredRecord = record.extend({ score: z.number() })
export type ScoredRecord = z.output<typeof scoredRecord>

const newRecord = z.strictObject({ id: recordId.optional(), data: recordData })

/** The most that a data_store can be set to take in one request (BULK_MAX_RECORDS). */
export const BULK_CEILING = 10_000

const collectionParams = z.object({ backend: backendName, collection: collectionName })
const recordParams = collectionParams.extend({ id: recordId })

export const createRecord = endpoint({
  service,
  method: 'POST',
  path: `${COLLECTION}/records`,
  summary: 'Create a record of the calling user',
  params: collectionParams,
  body: newRecord,
  output: record,
  status: 201,
  permission: 'memory.write',
})

export const createRecords = endpoint({
  service,
  method: 'POST',
  path: `${COLLECTION}/records/bulk`,
  summary: 'Create many records of the calling user at once: all of them, or none',
  params: collectionParams,
  body: z.strictObject({ records: z.array(newRecord).min(1).max(BULK_CEILING) }),
  /** In the order of the request; without their vectors, where the backend keeps one. */
  output: z.object({ items: z.array(record) }),
  status: 201,
  permission: 'memory.write',
})

export const listRecords = endpoint({
  service,
  method: 'GET',
  path: `${COLLECTION}/records`,
  summary: "The calling user's records in a collection, by id; `next_cursor` is null on the last page",
  params: collectionParams,
  query: z.strictObject({
    limit: z.coerce.number().int().min(1).max(200).default(50),
    /** The `next_cursor` of the page before. */
    cursor: z.string().max(300).optional(),
    /** Whether `data` has its vector, where the backend keeps one. */
    include_vector: z.enum(['true', 'false']).default('false'),
  }),
  output: z.object({ items: z.array(record), next_cursor: z.string().nullable() }),
  permission: 'memory.read',
})

export const getRecord = endpoint({
  service,
  method: 'GET',
  path: `${COLLECTION}/records/:id`,
  summary: 'One record, whole, with its version as ETag',
  params: recordParams,
  output: record,
  permission: 'memory.read',
})

const changedData = z.strictObject({ data: recordData })

export const replaceRecord = endpoint({
  service,
  method: 'PUT',
  path: `${COLLECTION}/records/:id`,
  summary: 'Replace the data of a record; with If-Match only while it has that version',
  params: recordParams,
  body: changedData,
  output: record,
  permission: 'memory.write',
})

export const patchRecord = endpoint({
  service,
  method: 'PATCH',
  path: `${COLLECTION}/records/:id`,
  summary:
    'Change the data of a record by a JSON Merge Patch (RFC 7396); with If-Match only while it has that version',
  params: recordParams,
  /** null takes a member out, an object is merged, anything else, arrays too, stands in the place of what was there. */
  body: changedData,
  output: record,
  permission: 'memory.write',
})

export const deleteRecord = endpoint({
  service,
  method: 'DELETE',
  path: `${COLLECTION}/records/:id`,
  summary: 'Delete a record at once; with If-Match only while it has that version',
  params: recordParams,
  status: 204,
  permission: 'memory.write',
})

export const searchRecords = endpoint({
  service,
  method: 'POST',
  path: `${COLLECTION}/search`,
  summary: "The calling user's records nearest to a vector, best first; without their vectors unless asked",
  params: collectionParams,
  body: z.strictObject({
    vector: z.array(z.number()).min(1),
    limit: z.int().min(1).max(100).default(10),
    include_vector: z.boolean().default(false),
  }),
  output: z.object({ items: z.array(scoredRecord) }),
  permission: 'memory.read',
})

export const backend = z.object({
  name: backendName,
  /** `not_configured` ones answer 501. */
  status: z.enum(['configured', 'not_configured']),
  /** What POST .../search can do there. */
  search: z.array(z.enum(['vector'])),
})

export const listBackends = endpoint({
  service,
  method: 'GET',
  path: '/v1/backends',
  summary: 'The backends that records can be kept in',
  output: z.object({ items: z.array(backend) }),
  permission: 'memory.read',
})

/** What was done to records, by whom and for whom; never their contents. */
export const auditRow = z.object({
  /** A number, as text: later rows have greater ones. */
  id: z.string(),
  ...auditFields,
})
export type AuditRow = z.output<typeof auditRow>

/** A backend, a collection in it or a record of that: `postgres/notes/7f3a`. */
export const auditedResource = z
  .string()
  .regex(
    /^[a-z][a-z0-9_-]{0,31}(\/[a-z][a-z0-9_-]{0,62}(\/[A-Za-z0-9][A-Za-z0-9._:-]{0,127})?)?$/,
    'must be backend, backend/collection or backend/collection/id',
  )

export const listAudit = endpoint({
  service,
  method: 'GET',
  path: '/v1/audit',
  summary: "What was done to the calling user's records, newest first; with audit.read, to anybody's",
  query: z.strictObject({
    limit: z.coerce.number().int().min(1).max(200).default(50),
    /** The `next_cursor` of the page before. */
    cursor: z.string().max(300).optional(),
    /** Only this and what is in it. */
    resource: auditedResource.optional(),
    outcome: auditOutcome.optional(),
    /** `user:<id>`: whose rows, the caller's own unless said. Somebody else's want audit.read. */
    subject: z
      .string()
      .regex(/^(user|service):[^\0]{1,256}$/, 'must be user:<id> or service:<name>')
      .optional(),
  }),
  output: z.object({ items: z.array(auditRow), next_cursor: z.string().nullable() }),
  permission: 'memory.read',
})
