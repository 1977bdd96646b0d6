import { createServiceAuth } from '@waybill/auth'
import type { Issuer } from '@waybill/auth'
import { createHttpClient } from '@waybill/http-client'
import { createLogger, createService, openTls } from '@waybill/service-kit'
import type { Logger, Service } from '@waybill/service-kit'
import { createLlmProxy } from './clients.ts'
import type { Config } from './config.ts'
import { createConversions } from './conversion.ts'
import { convertRoutes } from './routes/convert.ts'
import { healthRoutes } from './routes/health.ts'
import { createWorkerPool } from './worker-pool.ts'
import type { WorkerPool } from './worker-pool.ts'

const NAME = 'docling'

export interface Dependencies {
  issuer: Issuer
  logger: Logger
  pool: WorkerPool
}

/** Documents in, Markdown and text out; tokens and the index of the user's memory by way of llm-proxy. */
export function createApp(config: Config, overrides: Partial<Dependencies> = {}): Service {
  const log = overrides.logger ?? createLogger({ service: NAME, level: config.LOG_LEVEL })
  const tls = openTls({ service: NAME, config, logger: log })
  const http = createHttpClient({ service: NAME, config, tls })
  const auth = createServiceAuth({
    config,
    issuer: overrides.issuer ?? http.issuer,
    audiences: [NAME, config.PLATFORM_AUDIENCE],
    tls,
    log,
  })
  const pool =
    overrides.pool ??
    createWorkerPool({
      workers: config.DOCLING_WORKERS,
      queue: config.DOCLING_QUEUE,
      placesPerUser: config.DOCLING_PLACES_PER_USER,
      jobsPerWorker: config.DOCLING_JOBS_PER_WORKER,
      memoryMb: config.DOCLING_WORKER_MEMORY_MB,
      timeoutMs: config.DOCLING_CONVERT_TIMEOUT_MS,
    })
  const llmProxy = createLlmProxy(http, config.LLM_PROXY_URL)
  const conversions = createConversions({ pool, llmProxy, maxChars: config.DOCLING_MAX_OUTPUT_CHARS })
  return createService({
    name: NAME,
    config,
    auth,
    tls,
    routes: [
      ...convertRoutes({
        conversions,
        pool,
        maxFileBytes: config.DOCLING_MAX_FILE_BYTES,
        uploadTimeoutMs: config.DOCLING_UPLOAD_TIMEOUT_MS,
      }),
      ...healthRoutes(),
    ],
    logger: log,
    closing: [() => pool.close(), () => http.close()],
  })
}
