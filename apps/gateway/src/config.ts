import { authEnv } from '@waybill/auth'
import { clientEnv } from '@waybill/http-client'
import { env, serviceEnv } from '@waybill/service-kit'
import { z } from 'zod'

/** Documents take their time and answers of models stream for long: the front door is more patient than the rest. */
const patience = env.int({ min: 100, max: 3_600_000, default: 120_000 })

export const configSchema = z.object({
  ...serviceEnv({ port: 8080 }),
  ...authEnv,
  ...clientEnv,
  REQUEST_TIMEOUT_MS: patience,
  CLIENT_TIMEOUT_MS: patience,
  /** The largest body that is let through, in bytes; each service has its own, lower limit. */
  BODY_LIMIT_BYTES: env.int({ min: 1024, max: 1024 ** 3, default: 64 * 1024 ** 2 }),
  LLM_PROXY_URL: env.url('http://127.0.0.1:8002'),
  DOCLING_URL: env.url('http://127.0.0.1:5001'),
  DATA_STORE_URL: env.url('http://127.0.0.1:8004'),
  WORK_PLATFORM_URL: env.url('http://127.0.0.1:3000'),
})

export type Config = z.output<typeof configSchema>
