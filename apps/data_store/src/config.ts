import { authEnv } from '@waybill/auth'
import { dataStore } from '@waybill/contracts'
import { databaseEnv } from '@waybill/database'
import { clientEnv } from '@waybill/http-client'
import { env, serviceEnv } from '@waybill/service-kit'
import { z } from 'zod'
import { fileMakerEnv } from './backends/filemaker/config.ts'
import { supabaseEnv } from './backends/supabase/config.ts'

/** In these a collection needs neither a table nor a layout of its own. */
const TAKE_UNDECLARED = ['postgres', 'lancedb']

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
    .describe(
      "How often LanceDB's files are compacted, in milliseconds; deleted rows are off the disk after twice as long",
    ),
  ...supabaseEnv,
  ...fileMakerEnv,
  RECORD_MAX_BYTES: env
    .int({ min: 256, max: 64 * 1024 ** 2, default: 256 * 1024 })
    .describe('The longest `data` of a record, as compact JSON in bytes'),
  RECORD_MAX_DEPTH: env
    .int({ min: 1, max: 500, default: 32 })
    .describe('How many levels of arrays and objects `data` may have'),
  BULK_MAX_RECORDS: env
    .int({ min: 1, max: dataStore.BULK_CEILING, default: 500 })
    .describe('The most records that one request creates, changes or deletes'),
  BULK_BODY_LIMIT_BYTES: env
    .int({ min: 1024, max: 256 * 1024 ** 2, default: 8 * 1024 ** 2 })
    .describe('The largest body of a request that creates many records, in bytes'),
  FILTER_MAX_CONDITIONS: env
    .int({ min: 1, max: dataStore.FILTER_CEILING, default: 100 })
    .describe('The most comparisons in a filter; of `in`, each of its values is one'),
  PAGE_MAX_BYTES: env
    .int({ min: 1024, max: 64 * 1024 ** 2, default: 8 * 1024 ** 2 })
    .describe('The most bytes of records in a page, as JSON: it ends early, but has one record at least'),
  SCAN_MAX_RECORDS: env
    .int({ min: 1, max: 1_000_000, default: 10_000 })
    .describe('The most records of an owner that a query looks at which the backend itself cannot answer'),
  COLLECTIONS_FILE: env
    .text('')
    .describe(
      'A JSON file that declares collections: schema, owner scope, permissions; empty: none is declared',
    ),
  UNDECLARED_COLLECTIONS: env
    .list(TAKE_UNDECLARED)
    .refine((names) => names.every((name) => TAKE_UNDECLARED.includes(name)), {
      error: `must be of ${TAKE_UNDECLARED.join(', ')}, separated by commas`,
    })
    .describe('The backends in which a collection that is not declared begins with its first record'),
  IDEMPOTENCY_TTL_SECONDS: env
    .int({ min: 60, max: 30 * 86_400, default: 86_400 })
    .describe(
      'How long an Idempotency-Key and what was answered to it are remembered, in seconds; longer than twice REQUEST_TIMEOUT_MS',
    ),
  AUDIT_BATCH_MS: env
    .int({ min: 0, max: 1_000, default: 200 })
    .describe(
      'How late the audit may say of a read, in milliseconds; 0: a read is answered once its row is there',
    ),
  AUDIT_BUFFER_SIZE: env
    .int({ min: 1, max: 100_000, default: 5_000 })
    .describe(
      'How many rows of reads may wait for the database; then reads wait too, and are 503 while it is away',
    ),
  VECTOR_MAX_DIMENSIONS: env
    .int({ min: 1, max: 65_536, default: 4_096 })
    .describe('The longest vector, in numbers'),
})

export type Config = z.output<typeof configSchema>
