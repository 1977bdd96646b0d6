import { createJwks, createServiceAuth } from '@waybill/auth'
import type { KeySource } from '@waybill/auth'
import { createHttpClient } from '@waybill/http-client'
import { createService } from '@waybill/service-kit'
import type { Logger, Service } from '@waybill/service-kit'
import type { Config } from './config.ts'
import { forwardRoutes } from './routes/forward.ts'

const NAME = 'gateway'

export interface Dependencies {
  keys: KeySource
  logger: Logger
}

/** The front door: strips what clients say of themselves, verifies who they are, stamps it, and streams the request on. */
export function createApp(config: Config, overrides: Partial<Dependencies> = {}): Service {
  const http = createHttpClient({ service: NAME, config })
  const keys = overrides.keys ?? createJwks(() => http.fetchJwks())
  const { authenticate } = createServiceAuth({
    config,
    keys,
    audiences: [config.PLATFORM_AUDIENCE],
    edge: true,
  })
  const clients = {
    'auth-service': http.internal('auth-service', config.AUTH_SERVICE_URL),
    'llm-proxy': http.internal('llm-proxy', config.LLM_PROXY_URL),
    docling: http.internal('docling', config.DOCLING_URL),
    data_store: http.internal('data_store', config.DATA_STORE_URL),
    'work-platform': http.internal('work-platform', config.WORK_PLATFORM_URL),
  }
  return createService({
    name: NAME,
    config,
    edge: true,
    authenticate,
    routes: forwardRoutes(clients, config.BODY_LIMIT_BYTES),
    ...(overrides.logger && { logger: overrides.logger }),
    closing: [() => http.close()],
  })
}
