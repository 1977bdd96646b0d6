import { openDatabase } from '@waybill/database'
import type { Database } from '@waybill/database'
import { startTestPostgres } from '@waybill/dev-env'
import { createLogger, Secret } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import pg from 'pg'
import type { Backend, Operation } from '../src/backend.ts'
import { createPostgresBackend } from '../src/backends/postgres/backend.ts'
import type { OwnerScope } from '../src/collections/collection.ts'
import type { Tables } from '../src/tables.ts'

/** The backend by itself, on a Postgres of its own. */
export interface PostgresSetting {
  backend: Backend
  database: Database<Tables>
  /** Connections of the service's login role. */
  databaseUrl: string
  /** Statements as the superuser. */
  admin(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>
  close(): Promise<void>
}

/** `icuLocale`: whose rules the database sorts texts by, unless told otherwise; by bytes without it. */
export async function startPostgresSetting(options: { icuLocale?: string } = {}): Promise<PostgresSetting> {
  const postgres = await startTestPostgres('data_store')
  if (options.icuLocale !== undefined) await sortBy(options.icuLocale, postgres.adminUrl)
  const admin = new pg.Client({ connectionString: postgres.adminUrl })
  await admin.connect()
  const database = openDatabase<Tables>({
    config: {
      DATABASE_URL: new Secret(postgres.databaseUrl),
      DATABASE_MIGRATION_URL: new Secret(postgres.migrationUrl),
      DATABASE_USER_ROLE: '',
      DATABASE_POOL_SIZE: 8,
      DATABASE_CONNECT_TIMEOUT_MS: 5_000,
      DATABASE_STATEMENT_TIMEOUT_MS: 15_000,
      DATABASE_LOCK_TIMEOUT_MS: 5_000,
    },
    migrations: new URL('../migrations/', import.meta.url),
    log: createLogger({ service: 'data_store', level: 'silent' }),
    service: 'data_store',
  })
  await database.start()
  return {
    backend: createPostgresBackend(database),
    database,
    databaseUrl: postgres.databaseUrl,
    admin: async (text, values) => (await admin.query<Record<string, unknown>>(text, values)).rows,
    async close() {
      await database.close()
      await admin.end()
      await postgres.close()
    },
  }
}

/** Makes the database of the service anew, with its privileges in it. */
async function sortBy(icuLocale: string, adminUrl: string): Promise<void> {
  const run = async (url: URL, ...statements: string[]) => {
    const client = new pg.Client({ connectionString: url.href })
    await client.connect()
    for (const statement of statements) await client.query(statement)
    await client.end()
  }
  const url = new URL(adminUrl)
  const elsewhere = new URL(adminUrl)
  elsewhere.pathname = '/postgres'
  await run(
    elsewhere,
    'drop database data_store',
    `create database data_store owner data_store_owner template template0 locale_provider icu icu_locale ${pg.escapeLiteral(icuLocale)}`,
  )
  await run(
    url,
    'alter schema public owner to data_store_owner',
    'grant usage on schema public to data_store, data_store_user',
  )
}

export function userOf(userId: string, more: Partial<UserPrincipal> = {}): UserPrincipal {
  return { kind: 'user', userId, role: 'user', permissions: [], actors: [], via: 'jwt', ...more }
}

/** An operation on a collection of the principal's, or of their tenant or workspace. */
export function operationOf(
  principal: UserPrincipal,
  name = 'notes',
  scope: OwnerScope = 'user',
  owner: string = { user: principal.userId, tenant: principal.tenantId, workspace: principal.workspaceId }[
    scope
  ] ?? '',
): Operation {
  const collection = {
    backend: 'postgres',
    name,
    scope,
    permissions: { read: 'memory.read', write: 'memory.write' },
    requireIfMatch: false,
    validate: () => undefined,
    table: name,
    fields: {},
  }
  const succeeded = {
    action: 'record.test',
    resource: `postgres/${name}`,
    outcome: 'success',
    principal,
  } as const
  return { principal, collection, owner, succeeded }
}
