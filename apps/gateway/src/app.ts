import { createServiceAuth } from '@waybill/auth'
import type { Issuer } from '@waybill/auth'
import { llmProxy } from '@waybill/contracts'
import { createHttpClient } from '@waybill/http-client'
import { createLogger, createQuotas, createService, createThrottle, openTls } from '@waybill/service-kit'
import type { Logger, Service } from '@waybill/service-kit'
import type { Config } from './config.ts'
import { forwardRoutes } from './routes/forward.ts'
import { frontDoors } from './upstreams.ts'

const NAME = 'gateway'

export interface Dependencies {
  issuer: Issuer
  logger: Logger
}

/** The front door: strips what clients say of themselves, verifies who they are, stamps it, and streams the request on. */
export function createApp(config: Config, overrides: Partial<Dependencies> = {}): Service {
  const log = overrides.logger ?? createLogger({ service: NAME, level: config.LOG_LEVEL })
  const tls = openTls({ service: NAME, config, logger: log })
  const http = createHttpClient({ service: NAME, config, tls })
  const sdkCredentials = llmProxy.sdkCredentialPaths(llmProxy.vendorPaths(config.LLM_PROVIDERS))
  const auth = createServiceAuth({
    config,
    issuer: overrides.issuer ?? http.issuer,
    audiences: [config.PLATFORM_AUDIENCE],
    edge: true,
    sdkCredentials,
    log,
  })
  const quotas = createQuotas({ redisUrl: config.REDIS_URL, log })
  const clients = {
    'auth-service': http.internal('auth-service', config.AUTH_SERVICE_URL),
    'llm-proxy': http.internal('llm-proxy', config.LLM_PROXY_URL),
    docling: http.internal('docling', config.DOCLING_URL),
    data_store: http.internal('data_store', config.DATA_STORE_URL),
    'work-platform': http.internal('work-platform', config.WORK_PLATFORM_URL),
  }
  // Answers that stream for minutes hold their connections: what is quick shall not wait for those.
  const patient = http.internal('llm-proxy', config.LLM_PROXY_URL, {
    pool: { maxSockets: config.LLM_MAX_SOCKETS, connectTimeoutMs: config.LLM_CONNECT_TIMEOUT_MS },
  })
  return createService({
    name: NAME,
    config,
    edge: true,
    logger: log,
    auth,
    throttle: createThrottle(quotas, config),
    tls,
    routes: forwardRoutes(frontDoors(config.LLM_PROVIDERS), {
      ...{ clients, sdkCredentials },
      patient: { client: patient, timeoutMs: config.LLM_TIMEOUT_MS },
      bodyLimitBytes: config.BODY_LIMIT_BYTES,
    }),
    starting: [() => quotas.start()],
    closing: [() => http.close(), () => quotas.close()],
  })
}
