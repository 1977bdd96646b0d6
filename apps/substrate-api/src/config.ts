import { authEnv } from '@waybill/auth'
import { databaseEnv } from '@waybill/database'
import { clientEnv } from '@waybill/http-client'
import { env, serviceEnv } from '@waybill/service-kit'
import { z } from 'zod'

export const configSchema = z.object({
  ...serviceEnv({ port: 8001 }),
  ...authEnv,
  ...clientEnv,
  ...databaseEnv,
  DUMP_BODY_LIMIT_BYTES: env
    .int({ min: 1024, max: 64 * 1024 ** 2, default: 3_200_000 })
    .describe('The largest body of a raw dump, in bytes: 500,000 characters take 3 MB when each is escaped'),
  METADATA_MAX_BYTES: env
    .int({ min: 2, max: 1024 ** 2, default: 16 * 1024 })
    .describe('The longest `metadata` of a basket, as compact JSON in bytes'),
  METADATA_MAX_DEPTH: env
    .int({ min: 1, max: 100, default: 16 })
    .describe('How many levels of arrays and objects `metadata` may have'),
})

export type Config = z.output<typeof configSchema>
