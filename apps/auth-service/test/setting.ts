import { createHash, randomBytes } from 'node:crypto'
import type { TestPostgres } from '@waybill/dev-env'
import { startTestPostgres } from '@waybill/dev-env'
import { loadConfig } from '@waybill/service-kit'
import type { Service } from '@waybill/service-kit'
import pg from 'pg'
import supertest from 'supertest'
import { vi } from 'vitest'
import { createApp } from '../src/app.ts'
import type { Dependencies } from '../src/app.ts'
import { configSchema } from '../src/config.ts'

export const CLIENTS = ['gateway', 'docling', 'llm-proxy', 'data_store', 'work-platform', 'substrate-api']
/** Clients that are no services of the platform. */
export const OUTSIDERS = ['reporting', 'waybill']
export const PASSWORD = 'correct horse battery staple'
export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/** With a colon, a plus and a percent sign, which have to survive HTTP Basic. */
export const secretOf = (service: string): string => `${service}:a+b%20c/é==`

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The environment of a service on `postgres`, with limits that tests do not run into. */
export function environmentOn(postgres: TestPostgres): Record<string, string> {
  return {
    DATABASE_URL: postgres.databaseUrl,
    DATABASE_MIGRATION_URL: postgres.migrationUrl,
    SIGNING_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    SERVICE_CLIENTS: JSON.stringify(
      Object.fromEntries([...CLIENTS, ...OUTSIDERS].map((name) => [name, sha256(secretOf(name))])),
    ),
    LOGIN_LIMIT_PER_MINUTE: '100000',
    REGISTRATION_LIMIT_PER_HOUR: '100000',
    LOGIN_LOCK_AFTER: '100000',
    LOGIN_LOCK_ADDRESS_AFTER: '100000',
    CLIENT_FAILURES_PER_MINUTE: '100000',
    ANONYMOUS_CALLS_PER_MINUTE: '100000',
    LOG_LEVEL: 'silent',
  }
}

export interface Session {
  access_token: string
  refresh_token: string
  user_id: string
  expires_in: number
}

export interface Setting {
  service: Service
  http: ReturnType<typeof supertest>
  environment: Record<string, string>
  /** Statements as the superuser. */
  admin(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>
  /** Resolves when so many transactions, at least, wait for a lock. */
  waiting(count: number): Promise<void>
  /** Another instance on the same database; closed with the setting. */
  another(environment?: Record<string, string>, overrides?: Partial<Dependencies>): Promise<Service>
  /** Registers a user of a name not used before, and logs in. */
  newUser(): Promise<Session & { username: string }>
  logIn(username: string, password?: string): supertest.Test
  refresh(token: string): supertest.Test
  logOut(accessToken: string): supertest.Test
  /** As newUser, with the role admin. */
  newAdmin(): Promise<Session & { username: string }>
  /** POSTs a form as `client`, by HTTP Basic. */
  post(client: string, path: string, form: Record<string, string>): supertest.Test
  /** POST /oauth/token as `client`, by HTTP Basic. */
  token(client: string, form: Record<string, string>): supertest.Test
  /** The answer to an exchange of `subjectToken` by `client`. */
  exchange(
    client: string,
    audience: string,
    subjectToken: string,
    more?: Record<string, string>,
  ): supertest.Test
  close(): Promise<void>
}

/** The real service on a Postgres of its own. */
export async function startSetting(
  environment: Record<string, string> = {},
  overrides: Partial<Dependencies> = {},
): Promise<Setting> {
  const postgres = await startTestPostgres('auth-service')
  const admin = new pg.Client({ connectionString: postgres.adminUrl })
  await admin.connect()
  const base = { ...environmentOn(postgres), ...environment }
  const services: Service[] = []
  const another: Setting['another'] = async (more = {}, changed = overrides) => {
    const service = createApp(loadConfig(configSchema, { ...base, ...more }), changed)
    services.push(service)
    await service.start()
    return service
  }
  const service = await another()
  const http = supertest(service.app)
  let users = 0

  const setting: Setting = {
    ...{ service, http, another, environment: base },
    admin: async (text, values) => (await admin.query<Record<string, unknown>>(text, values)).rows,
    async waiting(count) {
      const waiting = 'select 1 from pg_locks where not granted'
      await vi.waitUntil(async () => (await admin.query(waiting)).rowCount! >= count, { timeout: 10_000 })
    },
    async newUser() {
      users += 1
      const username = `user-${users}`
      await http
        .post('/auth/register')
        .send({ username, email: `${username}@example.test`, password: PASSWORD })
        .expect(201)
      const { body } = await setting.logIn(username).expect(200)
      return { ...(body as Session), username }
    },
    logIn: (username, password = PASSWORD) => http.post('/auth/login').send({ username, password }),
    refresh: (token) => http.post('/auth/refresh').send({ refresh_token: token }),
    logOut: (accessToken) => http.post('/auth/logout').set('Authorization', `Bearer ${accessToken}`),
    async newAdmin() {
      const { username, user_id } = await setting.newUser()
      await admin.query(`update users set role = 'admin' where id = $1`, [user_id])
      const { body } = await setting.logIn(username).expect(200)
      return { ...(body as Session), username }
    },
    post: (client, path, form) =>
      http
        .post(path)
        .type('form')
        .set('Authorization', basic(client, secretOf(client)))
        .send(form),
    token: (client, form) => setting.post(client, '/oauth/token', form),
    exchange: (client, audience, subjectToken, more = {}) =>
      setting.token(client, {
        ...{ grant_type: EXCHANGE, audience, subject_token: subjectToken, subject_token_type: ACCESS_TOKEN },
        ...more,
      }),
    async close() {
      for (const running of services) await running.close()
      await admin.end()
      await postgres.close()
    },
  }
  return setting
}

/** RFC 6749 section 2.3.1. */
export function basic(name: string, secret: string): string {
  const pair = [name, secret].map(encodeURIComponent).join(':')
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

/** What a token says, unverified. */
export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>
}

/** The body without what differs between any two answers. */
export function comparable(body: Record<string, unknown>): Record<string, unknown> {
  const { request_id: _request, trace_id: _trace, ...rest } = body
  return rest
}
