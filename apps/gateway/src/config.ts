import { authEnv } from '@waybill/auth'
import { clientEnv } from '@waybill/http-client'
import { env, serviceEnv, throttleEnv } from '@waybill/service-kit'
import { z } from 'zod'
import { providers } from './providers.ts'

/** Documents take their time: the front door is more patient than the rest. */
const patience = env.int({ min: 100, max: 3_600_000, default: 120_000 })

export const configSchema = z.object({
  ...serviceEnv({ port: 8080 }),
  ...authEnv,
  ...clientEnv,
  ...throttleEnv,
  REQUEST_TIMEOUT_MS: patience.describe('How long a request may take, in ms; 504 after that'),
  CLIENT_TIMEOUT_MS: patience.describe('The longest that a call to a service may take, in ms'),
  LLM_TIMEOUT_MS: env
    .int({ min: 100, max: 3_600_000, default: 960_000 })
    .describe(
      'The same two for answers of models, whole or as a stream, in ms; more than the ten minutes that SDKs wait',
    ),
  LLM_MAX_SOCKETS: env
    .int({ min: 1, max: 100_000, default: 1_024 })
    .describe('Connections for answers of models: so many may be under way at the same time'),
  LLM_CONNECT_TIMEOUT_MS: env
    .int({ min: 10, max: 600_000, default: 5_000 })
    .describe('How long a request waits for one of these connections, in ms; 503 after that'),
  BODY_LIMIT_BYTES: env
    .int({ min: 1024, max: 1024 ** 3, default: 64 * 1024 ** 2 })
    .describe('The largest body that is let through, in bytes; each service has its own, lower limit'),
  LLM_PROXY_URL: env.url('http://127.0.0.1:8002').describe('Where llm-proxy is'),
  LLM_PROVIDERS: providers.describe(
    'The providers of its PROVIDERS_FILE that get a path here, by name: `vllm,bedrock=anthropic`',
  ),
  DOCLING_URL: env.url('http://127.0.0.1:5001').describe('Where docling is'),
  DATA_STORE_URL: env.url('http://127.0.0.1:8004').describe('Where data_store is'),
  WORK_PLATFORM_URL: env.url('http://127.0.0.1:3000').describe('Where work-platform is'),
})

export type Config = z.output<typeof configSchema>
