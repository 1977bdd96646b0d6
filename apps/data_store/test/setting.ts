import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signAccessToken } from '@waybill/auth'
import { layoutsOf, startFileMaker, startTestPostgres, startTestSupabase } from '@waybill/dev-env'
import type { FileMakerEmulator, TestSupabase } from '@waybill/dev-env'
import { createTestIssuer } from '@waybill/dev-env/testing'
import { createLogger, loadConfig } from '@waybill/service-kit'
import type { Service } from '@waybill/service-kit'
import pg from 'pg'
import supertest from 'supertest'
import { createApp } from '../src/app.ts'
import { configSchema } from '../src/config.ts'
import { COLLECTIONS } from './fixtures/collections.ts'
import { HAS_POSTGREST, thoseThatRun } from './fixtures/on-postgrest.ts'
import { createTestTokens } from './fixtures/supabase-tokens.ts'
import type { TestTokens } from './fixtures/supabase-tokens.ts'

/** The service on a Postgres and a LanceDB of its own, and tokens that it believes. */
export interface Setting {
  service: Service
  /** What the backend `filemaker` talks to. */
  fileMaker: FileMakerEmulator
  /** What the backend `supabase` talks to; only with the option, and where the platform has a PostgREST. */
  supabase: TestSupabase
  /** The tokens that it is sent. */
  supabaseTokens: TestTokens
  /** Statements as the superuser. */
  admin(text: string): Promise<Record<string, unknown>[]>
  /** A token for data_store. */
  token(subject: string, claims?: Record<string, unknown>): Promise<string>
  /** A client with such a token. */
  as(subject: string, claims?: Record<string, unknown>): Promise<Client>
  anonymous: ReturnType<typeof supertest>
  restart(): Promise<void>
  close(): Promise<void>
}

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'
export type Client = (method: Method, path: string, body?: string | object) => supertest.Test

/**
 * `environment`: what is otherwise than usual. With `supabase` there is a PostgREST as well, on a database of its own in the same
 * cluster, where the platform has one; else that backend is not configured.
 */
export async function startSetting(
  environment: Record<string, string> = {},
  options: { supabase?: boolean } = {},
): Promise<Setting> {
  const [postgres, folder, fileMaker] = await Promise.all([
    startTestPostgres('data_store'),
    mkdtemp(join(tmpdir(), 'data_store-')),
    startFileMaker({ layouts: layoutsOf(COLLECTIONS) }),
  ])
  const admin = new pg.Client({ connectionString: postgres.adminUrl })
  await admin.connect()
  const collectionsFile = join(folder, 'collections.json')
  await writeFile(collectionsFile, JSON.stringify({ collections: COLLECTIONS }))
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = { kid: 'test', alg: 'ES256', privateKey: pair.privateKey }
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: key.kid, alg: key.alg, use: 'sig' }
  const supabase =
    options.supabase && HAS_POSTGREST
      ? await startTestSupabase({
          adminUrl: postgres.adminUrl,
          jwks: { keys: [jwk] },
          collections: COLLECTIONS.filter(({ backends }) => backends.includes('supabase')).map(
            (collection) => ({
              table: collection.name,
              scope: collection.scope ?? 'user',
            }),
          ),
        })
      : undefined
  const supabaseTokens = createTestTokens(key)
  const config = loadConfig(configSchema, {
    ...(supabase && {
      SUPABASE_URL: supabase.url,
      SUPABASE_REST_PATH: '/',
      SUPABASE_PUBLISHABLE_KEY: supabase.publishableKey,
      SUPABASE_SECRET_KEY: supabase.secretKey,
    }),
    COLLECTIONS_FILE: collectionsFile,
    DATABASE_URL: postgres.databaseUrl,
    DATABASE_MIGRATION_URL: postgres.migrationUrl,
    LANCEDB_PATH: join(folder, 'lancedb'),
    FILEMAKER_URL: fileMaker.url,
    FILEMAKER_DATABASE: fileMaker.database,
    FILEMAKER_USERNAME: fileMaker.username,
    FILEMAKER_PASSWORD: fileMaker.password,
    SERVICE_SECRET: 'for tests',
    LOG_LEVEL: 'silent',
    ...environment,
  })
  const { issuer: others } = await createTestIssuer()
  const issuer = { ...others, jwks: () => Promise.resolve({ keys: [jwk] }) }
  const log = createLogger({ service: 'data_store', level: 'silent' })
  let service = createApp(config, { issuer, log, supabaseTokens })
  await service.start()

  async function token(subject: string, claims: Record<string, unknown> = {}): Promise<string> {
    const { token } = await signAccessToken(key, {
      claims: {
        ...{ iss: config.AUTH_ISSUER, aud: 'data_store', sub: subject, client_id: 'test', principal: 'user' },
        ...{ scope: 'memory.read memory.write', ...claims },
      },
      lifetimeSeconds: 300,
    })
    return token
  }

  return {
    get service() {
      return service
    },
    fileMaker,
    get supabase() {
      if (!supabase) throw new Error('startSetting was not asked for supabase, or found no PostgREST')
      return supabase
    },
    supabaseTokens,
    admin: async (text) => (await admin.query<Record<string, unknown>>(text)).rows,
    get anonymous() {
      return supertest(service.app)
    },
    token,
    async as(subject, claims = {}) {
      const bearer = await token(subject, claims)
      return (method, path, body) => {
        const request = supertest(service.app)[method](path).set('Authorization', `Bearer ${bearer}`)
        return body === undefined ? request : request.set('Content-Type', 'application/json').send(body)
      }
    },
    async restart() {
      await service.close()
      service = createApp(config, { issuer, log, supabaseTokens })
      await service.start()
    },
    async close() {
      await service.close()
      await supabase?.close()
      await admin.end()
      await postgres.close()
      await fileMaker.close()
      await rm(folder, { recursive: true })
    },
  }
}

export const BACKENDS = ['postgres', 'lancedb'] as const
/** With `supabase` among them, which a setting must be asked for, where the platform has a PostgREST. */
export const ALL_BACKENDS = thoseThatRun(['postgres', 'supabase', 'lancedb', 'filemaker'])

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
