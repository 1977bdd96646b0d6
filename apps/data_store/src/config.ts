import { authEnv } from '@waybill/auth'
import { dataStore } from '@waybill/contracts'
import { databaseEnv } from '@waybill/database'
import { clientEnv } from '@waybill/http-client'
import { env, serviceEnv } from '@waybill/service-kit'
import { z } from 'zod'

const PLACE = /^[a-z][a-z0-9_-]{0,31}\/[a-z][a-z0-9_-]{0,62}$/

export const configSchema = z.object({
  ...serviceEnv({ port: 8004 }),
  ...authEnv,
  ...clientEnv,
  ...databaseEnv,
  LANCEDB_PATH: env
    .text('')
    .describe('Folder of the embedded LanceDB, for one data_store process at a time; empty: not configured'),
  LANCEDB_MAINTENANCE_MS: env
    .int({ min: 1_000, max: 86_400_000, default: 60_000 })
    .describe("How often LanceDB's files are compacted and deleted rows leave the disk, in milliseconds"),
  RECORD_MAX_BYTES: env
    .int({ min: 256, max: 64 * 1024 ** 2, default: 256 * 1024 })
    .describe('The longest `data` of a record, as compact JSON in bytes'),
  RECORD_MAX_DEPTH: env
    .int({ min: 1, max: 500, default: 32 })
    .describe('How many levels of arrays and objects `data` may have'),
  BULK_MAX_RECORDS: env
    .int({ min: 1, max: dataStore.BULK_CEILING, default: 500 })
    .describe('The most records that one request creates'),
  BULK_BODY_LIMIT_BYTES: env
    .int({ min: 1024, max: 256 * 1024 ** 2, default: 8 * 1024 ** 2 })
    .describe('The largest body of a request that creates many records, in bytes'),
  REQUIRE_IF_MATCH_COLLECTIONS: env
    .list([])
    .refine((places) => places.every((place) => PLACE.test(place)), {
      error: 'must be backend/collection, several separated by commas',
    })
    .describe(
      'Collections, as `backend/collection`, in which nothing is changed or deleted without If-Match',
    ),
  VECTOR_MAX_DIMENSIONS: env
    .int({ min: 1, max: 65_536, default: 4_096 })
    .describe('The longest vector, in numbers'),
})

export type Config = z.output<typeof configSchema>
