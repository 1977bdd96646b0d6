import { randomUUID } from 'node:crypto'
import { openDatabase } from '@waybill/database'
import type { Database, DatabaseConfig } from '@waybill/database'
import { startTestPostgres } from '@waybill/dev-env'
import type { TestPostgres } from '@waybill/dev-env'
import { createLogger, runInContext, Secret } from '@waybill/service-kit'
import type { Principal, UserPrincipal } from '@waybill/service-kit'
import pg from 'pg'

export interface Notes {
  notes: { owner: string; id: string; body: string }
}

export const log = createLogger({ service: 'notes', level: 'silent' })

export const NOTES_MIGRATIONS = new URL('./migrations/', import.meta.url)

/** A server of its own, a database `notes` in it, and ways to open that. */
export interface Setting extends TestPostgres {
  /** Statements as the superuser. */
  admin(text: string): Promise<Record<string, unknown>[]>
  config(changes?: Partial<DatabaseConfig>): DatabaseConfig
  open(changes?: Partial<DatabaseConfig>, migrations?: URL): Database<Notes>
}

export async function startSetting(): Promise<Setting> {
  const postgres = await startTestPostgres('notes')
  const admin = new pg.Client({ connectionString: postgres.adminUrl })
  admin.on('error', () => undefined)
  await admin.connect()
  const opened: Database<Notes>[] = []
  const config = (changes: Partial<DatabaseConfig> = {}): DatabaseConfig => ({
    DATABASE_URL: new Secret(postgres.databaseUrl),
    DATABASE_MIGRATION_URL: new Secret(postgres.migrationUrl),
    DATABASE_USER_ROLE: '',
    DATABASE_POOL_SIZE: 2,
    DATABASE_CONNECT_TIMEOUT_MS: 2_000,
    DATABASE_STATEMENT_TIMEOUT_MS: 5_000,
    DATABASE_LOCK_TIMEOUT_MS: 2_000,
    ...changes,
  })
  return {
    ...postgres,
    config,
    admin: async (text) => (await admin.query<Record<string, unknown>>(text)).rows,
    open(changes, migrations = NOTES_MIGRATIONS) {
      const database = openDatabase<Notes>({
        config: config(changes),
        migrations,
        log,
        service: 'notes-service',
      })
      opened.push(database)
      return database
    },
    async close() {
      for (const database of opened) await database.close()
      await admin.end()
      await postgres.close()
    },
  }
}

export function user(userId: string, more: Partial<UserPrincipal> = {}): UserPrincipal {
  return { kind: 'user', userId, role: 'user', permissions: ['memory.read'], actors: [], via: 'jwt', ...more }
}

/** Runs `work` as if in a request. */
export function inRequest<T>(given: { principal?: Principal; timeoutMs?: number }, work: () => T): T {
  const { principal, timeoutMs = 30_000 } = given
  const signal = new AbortController().signal
  const context = { requestId: randomUUID(), log, deadline: Date.now() + timeoutMs, signal }
  return runInContext(principal ? { ...context, principal } : context, work)
}
