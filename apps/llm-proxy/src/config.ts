import { authEnv } from '@waybill/auth'
import { clientEnv } from '@waybill/http-client'
import { env, serviceEnv } from '@waybill/service-kit'
import { z } from 'zod'
import { EMBEDDING_MODEL, EXTRACTIVE_MODEL } from './local/provider.ts'

export const configSchema = z.object({
  ...serviceEnv({ port: 8002 }),
  ...authEnv,
  ...clientEnv,
  DATA_STORE_URL: env.url('http://127.0.0.1:8004'),
  /** A long document is many records: a request may take longer here than elsewhere, but less than the gateway waits. */
  REQUEST_TIMEOUT_MS: env.int({ min: 100, max: 3_600_000, default: 110_000 }),
  /** The largest body, in bytes: documents come as text. */
  BODY_LIMIT_BYTES: env.int({ min: 1024, max: 1024 ** 3, default: 4 * 1024 ** 2 }),
  /** The models that are meant when a request names none. */
  DEFAULT_MODEL: env.text(EXTRACTIVE_MODEL),
  DEFAULT_EMBEDDING_MODEL: env.text(EMBEDDING_MODEL),
  /** The most tokens that a model is given in one request. */
  MAX_INPUT_TOKENS: env.int({ min: 16, max: 10_000_000, default: 65_536 }),
  /** The most tokens that a model gives back; a request may ask for fewer. */
  MAX_OUTPUT_TOKENS: env.int({ min: 1, max: 1_000_000, default: 4_096 }),
  /** The most tokens of one text that is embedded. */
  MAX_EMBED_TOKENS: env.int({ min: 16, max: 1_000_000, default: 8_192 }),
  /** The most texts that one request embeds. */
  MAX_EMBED_TEXTS: env.int({ min: 1, max: 100_000, default: 2_048 }),
  /** How many passages of a document are embedded at a time. */
  EMBED_BATCH_SIZE: env.int({ min: 1, max: 2_048, default: 64 }),
  /** A passage of a document is filled up to this many tokens. */
  PASSAGE_TOKENS: env.int({ min: 16, max: 8_192, default: 256 }),
  /** The most passages of one document. */
  MAX_PASSAGES: env.int({ min: 1, max: 100_000, default: 1_000 }),
  /** How many records of one document are written to data_store at a time. */
  WRITE_CONCURRENCY: env.int({ min: 1, max: 64, default: 8 }),
  /** How long what was written of a document that failed may take to be deleted again, in milliseconds. */
  CLEANUP_TIMEOUT_MS: env.int({ min: 100, max: 600_000, default: 15_000 }),
  /** How many passages are looked at to answer a question. */
  SEARCH_CANDIDATES: env.int({ min: 1, max: 100, default: 50 }),
  /** The collection of a user's passages when a request names none. */
  MEMORY_COLLECTION: env.text('memory'),
})

export type Config = z.output<typeof configSchema>
