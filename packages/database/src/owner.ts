import { AsyncLocalStorage } from 'node:async_hooks'
import { FatalStartError } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import { Kysely } from 'kysely'
import type { Transaction } from 'kysely'
import type { DatabaseConfig } from './config.ts'
import { createPool, roleIn } from './connection.ts'
import { asProblem } from './database-error.ts'
import { ScopedDialect } from './dialect.ts'

/** A service's database for a command that an operator runs beside it. */
export interface OwnerDatabase<DB> {
  /**
   * Runs `work` in a transaction as the role that owns the schema. Where row-level security is forced, its policies bind that role
   * too. Commits what `work` returns, rolls back what it throws.
   * @throws Problem `unavailable` or `timeout`; other errors of Postgres as they are
   */
  transaction<T>(work: (tx: Transaction<DB>) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export interface OpenAsOwnerOptions {
  config: Pick<DatabaseConfig, 'DATABASE_MIGRATION_URL' | 'DATABASE_CONNECT_TIMEOUT_MS'>
  /** As openDatabase is told: audit rows are in its name. */
  service: string
  log: Logger
}

/**
 * Opens the database of a service as the owner of its schema, with one connection that is made at the first use.
 * @throws FatalStartError without a DATABASE_MIGRATION_URL, or when it is none
 */
export function openAsOwner<DB>({ config, service, log }: OpenAsOwnerOptions): OwnerDatabase<DB> {
  const { DATABASE_MIGRATION_URL: url } = config
  if (!url) throw new FatalStartError('DATABASE_MIGRATION_URL is required: only the owner may do this.')
  roleIn(url, 'DATABASE_MIGRATION_URL')
  const pool = createPool(url, config, { name: service, size: 1, log })
  const db = new Kysely<DB>({ dialect: new ScopedDialect(pool, new AsyncLocalStorage()) })
  return {
    transaction: (work) =>
      db
        .transaction()
        .execute(work)
        .catch((error: unknown) => {
          throw asProblem(error)
        }),
    close: () => db.destroy(),
  }
}
