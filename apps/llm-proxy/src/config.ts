import { authEnv } from '@waybill/auth'
import { dataStore } from '@waybill/contracts'
import { databaseEnv } from '@waybill/database'
import { clientEnv } from '@waybill/http-client'
import { env, serviceEnv } from '@waybill/service-kit'
import { z } from 'zod'
import { keysEnv } from './keys/config.ts'
import { cacheEnv } from './cache/config.ts'
import { limitsEnv } from './limits/config.ts'
import { EMBEDDING_MODEL, EXTRACTIVE_MODEL } from './local/provider.ts'
import { providersEnv } from './providers/config.ts'
import { protocolsEnv } from './protocols/config.ts'
import { relayEnv } from './relay/config.ts'
import { translationEnv } from './translation/config.ts'
import { usageEnv } from './usage/config.ts'
import { vendorsEnv } from './vendors/config.ts'

export const configSchema = z.object({
  ...serviceEnv({ port: 8002 }),
  ...authEnv,
  ...clientEnv,
  ...databaseEnv,
  ...limitsEnv,
  ...usageEnv,
  ...providersEnv,
  ...cacheEnv,
  ...keysEnv,
  ...relayEnv,
  ...protocolsEnv,
  ...translationEnv,
  ...vendorsEnv,
  DATA_STORE_URL: env.url('http://127.0.0.1:8004').describe('Where data_store is'),
  REQUEST_TIMEOUT_MS: env
    .int({ min: 100, max: 3_600_000, default: 110_000 })
    .describe('How long a request may take, in ms; 504 after that. Less than the gateway waits'),
  CLIENT_TIMEOUT_MS: env
    .int({ min: 100, max: 3_600_000, default: 100_000 })
    .describe('The longest that a call to a service may take, in ms. Less than REQUEST_TIMEOUT_MS'),
  BODY_LIMIT_BYTES: env
    .int({ min: 1024, max: 1024 ** 3, default: 4 * 1024 ** 2 })
    .describe('The largest body, in bytes: documents come as text'),
  DEFAULT_MODEL: env.text(EXTRACTIVE_MODEL).describe('The model that replies when a request names none'),
  DEFAULT_EMBEDDING_MODEL: env
    .text(EMBEDDING_MODEL)
    .describe(
      "The model that embeds when a request names none; a collection's vectors must all come from one",
    ),
  MAX_INPUT_TOKENS: env
    .int({ min: 16, max: 10_000_000, default: 65_536 })
    .describe('The most tokens that a model is given in one request'),
  MAX_OUTPUT_TOKENS: env
    .int({ min: 1, max: 1_000_000, default: 4_096 })
    .describe('The most tokens that a model gives back; a request may ask for fewer'),
  MAX_EMBED_TOKENS: env
    .int({ min: 16, max: 1_000_000, default: 8_192 })
    .describe('The most tokens of one text that is embedded'),
  MAX_EMBED_TEXTS: env
    .int({ min: 1, max: 100_000, default: 2_048 })
    .describe('The most texts that one request embeds'),
  MAX_EMBED_NUMBERS: env
    .int({ min: 16, max: 100_000_000, default: 262_144 })
    .describe('The most numbers that one request gets: its texts times the dimensions of a vector'),
  EMBED_BATCH_SIZE: env
    .int({ min: 1, max: 2_048, default: 64 })
    .describe('How many passages of a document are embedded at a time'),
  PASSAGE_TOKENS: env
    .int({ min: 16, max: 8_192, default: 256 })
    .describe('A passage of a document is filled up to this many tokens'),
  MAX_PASSAGES: env
    .int({ min: 1, max: 100_000, default: 1_000 })
    .describe('The most passages of one document'),
  WRITE_BATCH_SIZE: env
    .int({ min: 1, max: dataStore.BULK_CEILING, default: 200 })
    .describe('The most passages that are written to data_store at a time; at most its BULK_MAX_RECORDS'),
  WRITE_BATCH_BYTES: env
    .int({ min: 1024, max: 256 * 1024 ** 2, default: 4 * 1024 ** 2 })
    .describe('The same in bytes of JSON; less than its BULK_BODY_LIMIT_BYTES'),
  CLEANUP_CONCURRENCY: env
    .int({ min: 1, max: 64, default: 8 })
    .describe('How many passages of a document that failed are deleted at a time'),
  CLEANUP_TIMEOUT_MS: env
    .int({ min: 100, max: 600_000, default: 30_000 })
    .describe(
      'How long what was written of a document that failed may take to be deleted again, in milliseconds',
    ),
  SEARCH_CANDIDATES: env
    .int({ min: 1, max: 100, default: 50 })
    .describe('How many passages are looked at to answer a question'),
  MEMORY_COLLECTION: env
    .text('memory')
    .describe("The collection of a user's passages when a request names none"),
})

export type Config = z.output<typeof configSchema>
