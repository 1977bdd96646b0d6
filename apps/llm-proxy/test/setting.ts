import { randomBytes } from 'node:crypto'
import { startTestPostgres } from '@waybill/dev-env'
import type { TestPostgres } from '@waybill/dev-env'
import { createTestIssuer } from '@waybill/dev-env/testing'
import type { TestIssuer } from '@waybill/dev-env/testing'
import { createLogger, loadConfig } from '@waybill/service-kit'
import type { Service } from '@waybill/service-kit'
import supertest from 'supertest'
import { createApp } from '../src/app.ts'
import { configSchema } from '../src/config.ts'
import type { Provider } from '../src/provider.ts'
import { startAuthService, startDataStore } from './stand-ins.ts'
import type { AuthStandIn, DataStoreStandIn } from './stand-ins.ts'

/** llm-proxy on a socket of its own, with stand-ins for the two services that it calls. */
export interface Setting {
  service: Service
  url: string
  issuer: TestIssuer
  authService: AuthStandIn
  dataStore: DataStoreStandIn
  postgres: TestPostgres
  /** A user's token for llm-proxy, as the gateway would send it. */
  tokenOf(userId: string, scope?: string): Promise<string>
  /** POSTs JSON as a user, `alice` unless said. */
  post(path: string, body: unknown, as?: string): Promise<supertest.Response>
  /** The same over the service's socket, for answers that stream and requests that are given up. */
  stream(path: string, body: unknown, signal?: AbortSignal): Promise<Response>
  /** Everything that was logged so far. */
  logged(): string
  close(): Promise<void>
}

export async function startSetting(
  environment: Record<string, string> = {},
  providers: readonly Provider[] = [],
): Promise<Setting> {
  const [postgres, issuer] = await Promise.all([startTestPostgres('llm-proxy'), createTestIssuer()])
  const [authService, dataStore] = await Promise.all([startAuthService(issuer), startDataStore(issuer)])
  const config = loadConfig(configSchema, {
    SERVICE_SECRET: 'a secret for this test that nobody else has',
    AUTH_SERVICE_URL: authService.url,
    DATA_STORE_URL: dataStore.url,
    DATABASE_URL: postgres.databaseUrl,
    DATABASE_MIGRATION_URL: postgres.migrationUrl,
    PROVIDER_KEY_ENCRYPTION_KEYS: `v1:${randomBytes(32).toString('base64')}`,
    CLIENT_RETRIES: '0',
    LLM_REQUESTS_PER_MINUTE: 'free=100000,standard=100000,premium=100000',
    LLM_TOKENS_PER_MINUTE: 'free=100000000,standard=100000000,premium=100000000',
    LLM_CONCURRENT_REQUESTS: 'free=1000,standard=1000,premium=1000',
    ...environment,
  })
  let logged = ''
  const destination = { write: (line: string) => void (logged += line) }
  const logger = createLogger({ service: 'llm-proxy', level: 'debug', destination })
  const service = createApp(config, { issuer: issuer.issuer, logger, providers })
  await service.start()
  const { url } = await service.listen({ port: 0 })
  const tokenOf = (userId: string, scope?: string) =>
    issuer.userToken(userId, {
      audience: 'llm-proxy',
      actors: ['gateway'],
      ...(scope !== undefined && { scope }),
    })
  return {
    service,
    url,
    issuer,
    authService,
    dataStore,
    postgres,
    tokenOf,
    async post(path, body, as = 'alice') {
      return supertest(service.app)
        .post(path)
        .set('Authorization', `Bearer ${await tokenOf(as)}`)
        .send(body as object)
    },
    async stream(path, body, signal) {
      return fetch(url + path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${await tokenOf('alice')}` },
        body: JSON.stringify(body),
        ...(signal && { signal }),
      })
    },
    logged: () => logged,
    async close() {
      await service.close()
      await Promise.all([authService.close(), dataStore.close(), postgres.close()])
    },
  }
}
