import { openDatabase } from '@waybill/database'
import type { Database } from '@waybill/database'
import { startTestPostgres } from '@waybill/dev-env'
import { createTestIssuer } from '@waybill/dev-env/testing'
import type { TestIssuer, TokenOptions } from '@waybill/dev-env/testing'
import { createLogger, loadConfig } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import pg from 'pg'
import request from 'supertest'
import { createApp } from '../src/app.ts'
import type { Dependencies, SubstrateApi } from '../src/app.ts'
import { configSchema } from '../src/config.ts'
import type { Tables } from '../src/tables.ts'

/** The service on a Postgres of its own, with keys that the tests hold. */
export interface Setting {
  service: SubstrateApi
  issuer: TestIssuer
  /** The same database, as the service opens it. */
  database: Database<Tables>
  /** Statements as the superuser. */
  admin(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>
  /** A token as work-platform brings it: on behalf of `userId`, for that workspace. */
  onBehalfOf(userId: string, workspaceId?: string, options?: TokenOptions): Promise<string>
  send(token: string | undefined, method: string, path: string, body?: unknown): request.Test
  close(): Promise<void>
}

export async function startSetting(
  environment: NodeJS.ProcessEnv = {},
  overrides: Partial<Dependencies> = {},
): Promise<Setting> {
  const postgres = await startTestPostgres('substrate-api')
  const config = loadConfig(configSchema, {
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    SERVICE_SECRET: 'not used: nothing is called',
    GRPC_PORT: '0',
    DATABASE_URL: postgres.databaseUrl,
    DATABASE_MIGRATION_URL: postgres.migrationUrl,
    ...environment,
  })
  const issuer = await createTestIssuer()
  const service = createApp(config, { issuer: issuer.issuer, ...overrides })
  await service.start()
  const admin = new pg.Client({ connectionString: postgres.adminUrl })
  await admin.connect()
  const database = openDatabase<Tables>({
    config,
    migrations: new URL('../migrations/', import.meta.url),
    log: createLogger({ service: 'test', level: 'silent' }),
  })
  await database.start()
  return {
    service,
    issuer,
    database,
    admin: async (text, values) => (await admin.query<Record<string, unknown>>(text, values)).rows,
    onBehalfOf: (userId, workspaceId, options = {}) =>
      issuer.userToken(userId, {
        audience: 'substrate-api',
        actors: ['work-platform', 'gateway'],
        scope: '',
        ...(workspaceId !== undefined && { workspaceId }),
        ...options,
      }),
    send(token, method, path, body) {
      const agent = request(service.app)
      const verb = method.toLowerCase() as 'get' | 'post' | 'delete'
      const sent = agent[verb](path)
      if (token !== undefined) void sent.set('Authorization', `Bearer ${token}`)
      return body === undefined ? sent : sent.send(body as object)
    },
    async close() {
      await service.close()
      await database.close()
      await admin.end()
      await postgres.close()
    },
  }
}

/** The principal of such a token, for queries without HTTP. */
export function memberOf(workspaceId: string | undefined, userId = 'alice'): UserPrincipal {
  return {
    kind: 'user',
    userId,
    role: 'user',
    permissions: [],
    actors: ['work-platform'],
    via: 'jwt',
    ...(workspaceId !== undefined && { workspaceId }),
  }
}
