import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signAccessToken } from '@waybill/auth'
import { startTestPostgres } from '@waybill/dev-env'
import { createTestIssuer } from '@waybill/dev-env/testing'
import { createLogger, loadConfig } from '@waybill/service-kit'
import type { Service } from '@waybill/service-kit'
import pg from 'pg'
import supertest from 'supertest'
import { createApp } from '../src/app.ts'
import { configSchema } from '../src/config.ts'

/** The service on a Postgres and a LanceDB of its own, and tokens that it believes. */
export interface Setting {
  service: Service
  /** Statements as the superuser. */
  admin(text: string): Promise<Record<string, unknown>[]>
  /** A client with a token for data_store. */
  as(subject: string, claims?: Record<string, unknown>): Promise<Client>
  anonymous: ReturnType<typeof supertest>
  restart(): Promise<void>
  close(): Promise<void>
}

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'
export type Client = (method: Method, path: string, body?: string | object) => supertest.Test

/** What `startSetting` may change in the environment. */
export async function startSetting(environment: Record<string, string> = {}): Promise<Setting> {
  const [postgres, folder] = await Promise.all([
    startTestPostgres('data_store'),
    mkdtemp(join(tmpdir(), 'data_store-')),
  ])
  const admin = new pg.Client({ connectionString: postgres.adminUrl })
  await admin.connect()
  const config = loadConfig(configSchema, {
    DATABASE_URL: postgres.databaseUrl,
    DATABASE_MIGRATION_URL: postgres.migrationUrl,
    LANCEDB_PATH: join(folder, 'lancedb'),
    SERVICE_SECRET: 'for tests',
    LOG_LEVEL: 'silent',
    ...environment,
  })
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = { kid: 'test', alg: 'ES256', privateKey: pair.privateKey }
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: key.kid, alg: key.alg, use: 'sig' }
  const { issuer: others } = await createTestIssuer()
  const issuer = { ...others, jwks: () => Promise.resolve({ keys: [jwk] }) }
  const log = createLogger({ service: 'data_store', level: 'silent' })
  let service = createApp(config, { issuer, log })
  await service.start()

  return {
    get service() {
      return service
    },
    admin: async (text) => (await admin.query<Record<string, unknown>>(text)).rows,
    get anonymous() {
      return supertest(service.app)
    },
    async as(subject, claims = {}) {
      const base = {
        iss: config.AUTH_ISSUER,
        aud: 'data_store',
        sub: subject,
        client_id: 'test',
        principal: 'user',
      } as const
      const { token } = await signAccessToken(key, {
        claims: { ...base, scope: 'memory.read memory.write', ...claims },
        lifetimeSeconds: 300,
      })
      return (method, path, body) => {
        const request = supertest(service.app)[method](path).set('Authorization', `Bearer ${token}`)
        return body === undefined ? request : request.set('Content-Type', 'application/json').send(body)
      }
    },
    async restart() {
      await service.close()
      service = createApp(config, { issuer, log })
      await service.start()
    },
    async close() {
      await service.close()
      await admin.end()
      await postgres.close()
      await rm(folder, { recursive: true })
    },
  }
}

export const BACKENDS = ['postgres', 'lancedb'] as const

/** Data that the backend takes: LanceDB wants a vector. */
export function dataFor(backend: string, data: object = {}): Record<string, unknown> {
  return backend === 'lancedb' ? { ...data, vector: [1, 0.5, 0] } : { ...data }
}

export const records = (backend: string, collection = 'notes', id?: string) =>
  `/v1/${backend}/collections/${collection}/records${id === undefined ? '' : `/${id}`}`

/** Texts that would break out of a quoted literal, a path or a predicate somewhere. */
export const HOSTILE = [
  "x' OR '1'='1",
  "alice' --",
  "' OR owner <> '",
  "\\' OR true --",
  "''; DROP TABLE records; --",
  "alice') OR (true",
  'alice" OR "1"="1',
  'alice\u02bc OR 1=1',
  '%',
  'alice/../bob',
  'alice\nOR true',
  '$1',
  ' alice',
  'alice ',
  'ａｌｉｃｅ',
  "'".repeat(200),
]
