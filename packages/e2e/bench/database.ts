import { openDatabase } from '@waybill/database'
import type { Database } from '@waybill/database'
import type { TestPostgres } from '@waybill/dev-env'
import { createLogger, Secret } from '@waybill/service-kit'

/** The database of data_store with its real migrations, and one connection that may take its time. */
export function openDataStore({ databaseUrl, migrationUrl }: TestPostgres): Database<unknown> {
  return openDatabase({
    config: {
      DATABASE_URL: new Secret(databaseUrl),
      DATABASE_MIGRATION_URL: new Secret(migrationUrl),
      DATABASE_USER_ROLE: '',
      DATABASE_POOL_SIZE: 1,
      DATABASE_CONNECT_TIMEOUT_MS: 3_000,
      DATABASE_STATEMENT_TIMEOUT_MS: 600_000,
      DATABASE_LOCK_TIMEOUT_MS: 5_000,
    },
    migrations: new URL('../../../apps/data_store/migrations/', import.meta.url),
    log: createLogger({ service: 'bench', level: 'silent' }),
  })
}
