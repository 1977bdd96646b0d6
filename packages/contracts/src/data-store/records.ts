import { z } from 'zod'
import { endpoint } from '../endpoint.ts'
import { countMode, fieldName, filter, orderTerm } from './filter.ts'
import { COLLECTION_PATH, collectionParams, recordId, recordParams, SERVICE } from './names.ts'
import { record } from './record.ts'
import { recordData } from './record-data.ts'

/** Named by who writes to be safe: anybody but the owner that the credential gives is refused with 403. */
const owner = z.string().min(1).max(256).optional()

const newRecord = z.strictObject({ id: recordId.optional(), data: recordData, owner })
const changedData = z.strictObject({ data: recordData, owner })

/** The most records that a data_store can be set to create, change or delete by one request (BULK_MAX_RECORDS). */
export const BULK_CEILING = 10_000

export const createRecord = endpoint({
  service: SERVICE,
  method: 'POST',
  path: `${COLLECTION_PATH}/records`,
  summary: 'Create a record',
  params: collectionParams,
  body: newRecord,
  output: record,
  status: 201,
  permission: 'memory.write',
})

export const createRecords = endpoint({
  service: SERVICE,
  method: 'POST',
  path: `${COLLECTION_PATH}/records/bulk`,
  summary: 'Create many records at once, or replace those that are there: all of them, or none',
  params: collectionParams,
  body: z.strictObject({
    records: z.array(newRecord).min(1).max(BULK_CEILING),
    /** What becomes of a record that is there already: `error` is 409, `replace` gives it the new data. */
    on_conflict: z.enum(['error', 'replace']).default('error'),
  }),
  /** In the order of the request; without their vectors, where the backend keeps one. */
  output: z.object({ items: z.array(record) }),
  status: 201,
  permission: 'memory.write',
})

const LIMIT =
  'The most records of a page, which ends earlier where their JSON would be longer than PAGE_MAX_BYTES: next_cursor says whether there are more'
const COUNT =
  'none; exact: how many records the filter lets through in all; planned: the same, counted no further than 1000'

const pageFields = {
  limit: z.int().min(1).max(200).default(50).describe(LIMIT),
  cursor: z
    .string()
    .max(8_192)
    .optional()
    .describe('The next_cursor of the page before, which was asked for with the same filter and order'),
}
const orderList = z.array(orderTerm).min(1).max(4)
const selectList = z.array(fieldName).min(1).max(50)

/**
 * A record of which `data`, and it alone, may hold only the members that were selected. A page has at most `limit` records, and ends
 * earlier where their JSON would be longer than data_store's PAGE_MAX_BYTES, with one record at least: `next_cursor` alone says
 * whether there are more.
 */
const page = z.object({
  items: z.array(record),
  /** null on the last page. */
  next_cursor: z.string().nullable(),
  /** How many there are in all; null when that was not asked. */
  count: z.int().nullable(),
})

/** A list in a query string: parts separated by commas. */
const commas = <T extends z.ZodType<string[], string[]>>(list: T) =>
  z
    .string()
    .max(2_000)
    .transform((text) => text.split(','))
    .pipe(list)

export const listRecords = endpoint({
  service: SERVICE,
  method: 'GET',
  path: `${COLLECTION_PATH}/records`,
  summary: "The owner's records in a collection, by id unless said",
  params: collectionParams,
  query: z.strictObject({
    limit: z.coerce.number().int().min(1).max(200).default(50).describe(LIMIT),
    cursor: pageFields.cursor,
    filter: z
      .string()
      .max(16_384)
      .transform((text, context) => {
        try {
          return JSON.parse(text) as unknown
        } catch {
          context.addIssue('is not JSON')
          return z.NEVER
        }
      })
      .pipe(filter)
      .optional()
      .describe('A filter as JSON, as the body of POST .../query has it'),
    order: commas(orderList)
      .optional()
      .describe(
        'Fields, separated by commas, with - before those in descending order: -updated_at,data.title',
      ),
    select: commas(selectList)
      .optional()
      .describe('Members of data, separated by commas, such as data.title: the others are left out'),
    count: countMode.default('none').describe(COUNT),
    include_vector: z
      .enum(['true', 'false'])
      .default('false')
      .describe('Whether data has its vector, where the backend keeps one'),
  }),
  output: page,
  permission: 'memory.read',
})

export const queryRecords = endpoint({
  service: SERVICE,
  method: 'POST',
  path: `${COLLECTION_PATH}/query`,
  summary: "The owner's records that a filter lets through, in an order, a page at a time",
  params: collectionParams,
  body: z.strictObject({
    ...pageFields,
    filter: filter.optional(),
    order: orderList
      .optional()
      .describe(
        'Numbers come before texts, then false, true, anything else, and null or missing; with - the other way round. Then by id',
      ),
    select: selectList
      .optional()
      .describe("What of data is given back, such as data.title; the record's own members always are"),
    count: countMode.default('none').describe(COUNT),
    include_vector: z.boolean().default(false),
  }),
  output: page,
  permission: 'memory.read',
})

export const getRecord = endpoint({
  service: SERVICE,
  method: 'GET',
  path: `${COLLECTION_PATH}/records/:id`,
  summary: 'One record, whole, with its version as ETag',
  params: recordParams,
  output: record,
  permission: 'memory.read',
})

export const replaceRecord = endpoint({
  service: SERVICE,
  method: 'PUT',
  path: `${COLLECTION_PATH}/records/:id`,
  summary: 'Replace the data of a record; with If-Match only while it has that version',
  params: recordParams,
  query: z.strictObject({
    upsert: z
      .enum(['true', 'false'])
      .default('false')
      .describe('Whether a record that is not there is created, which answers 201'),
  }),
  body: changedData,
  output: record,
  permission: 'memory.write',
})

export const patchRecord = endpoint({
  service: SERVICE,
  method: 'PATCH',
  path: `${COLLECTION_PATH}/records/:id`,
  summary:
    'Change the data of a record by a JSON Merge Patch (RFC 7396); with If-Match only while it has that version',
  params: recordParams,
  /** null takes a member out, an object is merged, anything else, arrays too, stands in the place of what was there. */
  body: changedData,
  output: record,
  permission: 'memory.write',
})

export const deleteRecord = endpoint({
  service: SERVICE,
  method: 'DELETE',
  path: `${COLLECTION_PATH}/records/:id`,
  summary: 'Delete a record at once; with If-Match only while it has that version',
  params: recordParams,
  status: 204,
  permission: 'memory.write',
})

/**
 * More than this many, and nothing is changed (409): a slip in the filter does not touch everything. 100 unless said, or
 * BULK_MAX_RECORDS where that is less; more than BULK_MAX_RECORDS is 422.
 */
const maxAffected = z.int().min(1).max(BULK_CEILING).optional()
const affected = z.object({ affected: z.int() })

export const patchRecords = endpoint({
  service: SERVICE,
  method: 'POST',
  path: `${COLLECTION_PATH}/bulk-patch`,
  summary: 'Change every record that a filter lets through by one JSON Merge Patch: all of them, or none',
  params: collectionParams,
  body: z.strictObject({ filter, data: recordData, max_affected: maxAffected }),
  output: affected,
  permission: 'memory.write',
})

export const deleteRecords = endpoint({
  service: SERVICE,
  method: 'POST',
  path: `${COLLECTION_PATH}/bulk-delete`,
  summary: 'Delete every record that a filter lets through: all of them, or none',
  params: collectionParams,
  body: z.strictObject({ filter, max_affected: maxAffected }),
  output: affected,
  permission: 'memory.write',
})
