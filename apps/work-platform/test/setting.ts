import { randomUUID } from 'node:crypto'
import { openDatabase } from '@waybill/database'
import type { Database } from '@waybill/database'
import { startTestPostgres } from '@waybill/dev-env'
import { createTestIssuer } from '@waybill/dev-env/testing'
import type { TestIssuer, TokenOptions } from '@waybill/dev-env/testing'
import { createLogger, loadConfig } from '@waybill/service-kit'
import type { Service, UserPrincipal } from '@waybill/service-kit'
import pg from 'pg'
import request from 'supertest'
import { createApp } from '../src/app.ts'
import { configSchema } from '../src/config.ts'
import type { Config } from '../src/config.ts'
import type { Role } from '../src/roles.ts'
import type { Tables } from '../src/tables.ts'
import { startSubstrate, startTokenEndpoint } from './stand-ins.ts'
import type { SubstrateStandIn, TokenStandIn } from './stand-ins.ts'

/** What the stand-in for substrate-api knows this service by, where it takes no tokens. */
export const SUBSTRATE_SECRET = 'canary-secret-between-the-two-services'

export const log = createLogger({ service: 'test', level: 'silent' })

/** The service on a Postgres of its own, between stand-ins for its neighbours. */
export interface Setting {
  service: Service
  config: Config
  issuer: TestIssuer
  substrate: SubstrateStandIn
  tokens: TokenStandIn
  /** The same database, as the service opens it. */
  database: Database<Tables>
  /** Statements as the superuser. */
  admin(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>
  /** A request as a user. */
  as(userId: string, options?: TokenOptions): Agent
  send(token: string | undefined, method: string, path: string, body?: unknown): request.Test
  close(): Promise<void>
}

export interface Agent {
  get(path: string, headers?: Record<string, string>): Promise<request.Response>
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<request.Response>
  delete(path: string, headers?: Record<string, string>): Promise<request.Response>
}

export async function startSetting(environment: NodeJS.ProcessEnv = {}): Promise<Setting> {
  const [postgres, issuer] = await Promise.all([startTestPostgres('work-platform'), createTestIssuer()])
  const [substrate, tokens] = await Promise.all([
    startSubstrate(
      issuer,
      environment.SUBSTRATE_AUTH === 'exchange' ? undefined : environment.SUBSTRATE_SERVICE_SECRET,
    ),
    startTokenEndpoint(issuer),
  ])
  const config = loadConfig(configSchema, {
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    SERVICE_SECRET: 'the secret of work-platform',
    SUBSTRATE_API_URL: substrate.url,
    AUTH_SERVICE_URL: tokens.url,
    DATABASE_URL: postgres.databaseUrl,
    DATABASE_MIGRATION_URL: postgres.migrationUrl,
    ...environment,
  })
  const service = createApp(config, { issuer: issuer.issuer })
  await service.start()
  const admin = new pg.Client({ connectionString: postgres.adminUrl })
  await admin.connect()
  const migrations = new URL('../migrations/', import.meta.url)
  const database = openDatabase<Tables>({ config, migrations, log, service: 'work-platform' })
  await database.start()

  const send: Setting['send'] = (token, method, path, body) => {
    const verb = method.toLowerCase() as 'get' | 'post' | 'delete'
    const sent = request(service.app)[verb](path)
    if (token !== undefined) void sent.set('Authorization', `Bearer ${token}`)
    return body === undefined ? sent : sent.send(body as object)
  }
  return {
    service,
    config,
    issuer,
    substrate,
    tokens,
    database,
    send,
    admin: async (text, values) => (await admin.query<Record<string, unknown>>(text, values)).rows,
    as(userId, options = {}) {
      const by = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
        send(await issuer.userToken(userId, options), method, path, body).set(headers)
      return {
        get: (path, headers) => by('GET', path, undefined, headers),
        post: (path, body, headers) => by('POST', path, body, headers),
        delete: (path, headers) => by('DELETE', path, undefined, headers),
      }
    },
    async close() {
      await service.close()
      await database.close()
      await admin.end()
      await Promise.all([substrate.stop(), tokens.stop(), postgres.close()])
    },
  }
}

/** A workspace with one member of each role, a project of the member's, and somebody who is a member no more. */
export interface World {
  workspaceId: string
  projectId: string
  users: Record<Role | 'removed' | 'outsider', string>
}

export async function makeWorld({ database, substrate }: Setting): Promise<World> {
  const [workspaceId, projectId, basketId] = [randomUUID(), randomUUID(), randomUUID()]
  const names = ['owner', 'admin', 'member', 'viewer', 'removed', 'outsider'] as const
  const users = Object.fromEntries(
    names.map((name) => [name, `${name}-${workspaceId.slice(0, 8)}`]),
  ) as World['users']
  await database.withPrincipal(principalOf(users.owner), async (tx) => {
    await tx.insertInto('workspaces').values({ id: workspaceId, name: 'Team', kind: 'team' }).execute()
    const roles = { admin: 'admin', member: 'member', viewer: 'viewer', removed: 'admin' } as const
    const rows = Object.entries(roles).map(([name, role]) => ({
      workspace_id: workspaceId,
      user_id: users[name as keyof typeof roles],
      role,
    }))
    await tx.insertInto('memberships').values(rows).execute()
    await tx.deleteFrom('memberships').where('user_id', '=', users.removed).execute()
  })
  await database.withPrincipal(principalOf(users.member), async (tx) => {
    const project = {
      id: projectId,
      workspace_id: workspaceId,
      name: 'Ours',
      description: '',
      basket_id: basketId,
    }
    await tx.insertInto('projects').values(project).execute()
    await tx.updateTable('projects').set({ status: 'active' }).where('id', '=', projectId).execute()
  })
  substrate.baskets.set(
    workspaceId,
    new Map([
      [
        basketId,
        {
          id: basketId,
          workspace_id: workspaceId,
          name: 'Ours',
          status: 'active',
          metadata: { project_id: projectId },
          created_by: `user:${users.member}`,
          created_at: '2026-01-01T00:00:00.000Z',
        },
      ],
    ]),
  )
  return { workspaceId, projectId, users }
}

/** The principal of a user's token, for queries without HTTP. */
export function principalOf(userId: string): UserPrincipal {
  return { kind: 'user', userId, role: 'user', permissions: [], actors: [], via: 'jwt' }
}
