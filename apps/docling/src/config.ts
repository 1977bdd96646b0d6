import { authEnv } from '@waybill/auth'
import { clientEnv } from '@waybill/http-client'
import { env, serviceEnv } from '@waybill/service-kit'
import { z } from 'zod'

const MIB = 1024 ** 2

export const configSchema = z.object({
  ...serviceEnv({ port: 5001 }),
  ...authEnv,
  ...clientEnv,
  REQUEST_TIMEOUT_MS: env
    .int({ min: 100, max: 3_600_000, default: 110_000 })
    .describe('How long a request may take, conversion and indexing together, in ms; 504 after that'),
  CLIENT_TIMEOUT_MS: env
    .int({ min: 50, max: 3_600_000, default: 100_000 })
    .describe(
      'The longest that a call to a service may take, in ms: indexing a long document takes its time',
    ),
  LLM_PROXY_URL: env.url('http://127.0.0.1:8002').describe('Where llm-proxy is'),
  DOCLING_MAX_FILE_BYTES: env
    .int({ min: 1024, max: 512 * MIB, default: 20 * MIB })
    .describe('The largest document, in bytes'),
  DOCLING_MAX_OUTPUT_CHARS: env
    .int({ min: 1024, max: 256 * MIB, default: 32 * MIB })
    .describe('The longest Markdown that is given back, in characters'),
  DOCLING_CONVERT_TIMEOUT_MS: env
    .int({ min: 50, max: 3_600_000, default: 60_000 })
    .describe(
      'The longest that the conversion of one document may take, in milliseconds; then its worker is ended',
    ),
  DOCLING_WORKER_MEMORY_MB: env
    .int({ min: 128, max: 65_536, default: 768 })
    .describe('The most memory that one conversion may take, in MiB; then its worker is ended'),
  DOCLING_WORKERS: env
    .int({ min: 1, max: 64, default: 2 })
    .describe('Conversions at the same time, each in a process of its own'),
  DOCLING_JOBS_PER_WORKER: env
    .int({ min: 1, max: 100_000, default: 20 })
    .describe('Conversions after which a worker is replaced by a fresh one'),
  DOCLING_QUEUE: env
    .int({ min: 0, max: 10_000, default: 16 })
    .describe('Requests that wait for a worker; one more is answered 503 with Retry-After'),
  DOCLING_PLACES_PER_USER: env
    .int({ min: 1, max: 10_000, default: 4 })
    .describe(
      'Requests of one user at the same time, waiting or not; one more is answered 429 with Retry-After',
    ),
  DOCLING_UPLOAD_TIMEOUT_MS: env
    .int({ min: 50, max: 3_600_000, default: 30_000 })
    .describe('The longest that a document may take to arrive, in milliseconds; 504 after that'),
})

export type Config = z.output<typeof configSchema>
