import type { AsyncLocalStorage } from 'node:async_hooks'
import { CompiledQuery, PostgresAdapter, PostgresDialect, PostgresDriver, sql } from 'kysely'
import type { DatabaseConnection, Kysely, TransactionSettings } from 'kysely'
import type pg from 'pg'

/**
 * Carries the opening statements of a transaction to the driver; kysely's own settings have no room for them. They are
 * made once the connection is had, because waiting for it takes from the time that is left.
 */
export type BeginScope = AsyncLocalStorage<() => string>

/** kysely's Postgres, except that a transaction begins with the statements in scope, in one round trip. */
export class ScopedDialect extends PostgresDialect {
  readonly #pool: pg.Pool
  readonly #scope: BeginScope

  constructor(pool: pg.Pool, scope: BeginScope) {
    super({ pool })
    this.#pool = pool
    this.#scope = scope
  }

  override createDriver() {
    return new ScopedDriver({ pool: this.#pool }, this.#scope)
  }

  override createAdapter() {
    return new TransactionLockAdapter()
  }
}

class ScopedDriver extends PostgresDriver {
  readonly #scope: BeginScope

  constructor(config: ConstructorParameters<typeof PostgresDriver>[0], scope: BeginScope) {
    super(config)
    this.#scope = scope
  }

  override async beginTransaction(
    connection: DatabaseConnection,
    settings: TransactionSettings,
  ): Promise<void> {
    const opening = this.#scope.getStore()
    if (opening === undefined) return super.beginTransaction(connection, settings)
    const statements = opening()
    try {
      await connection.executeQuery(CompiledQuery.raw(statements))
    } catch (error) {
      // kysely rolls back only what has begun; here `begin` may have passed and the rest failed.
      await this.rollbackTransaction(connection as RollbackConnection) // same object, narrower type
      throw error
    }
  }

  /** A rollback that fails marks the connection for removal from the pool, and must not hide why it was wanted. */
  override async rollbackTransaction(connection: RollbackConnection): Promise<void> {
    await super.rollbackTransaction(connection).catch(() => undefined)
  }
}

type RollbackConnection = Parameters<PostgresDriver['rollbackTransaction']>[0]

const MIGRATION_LOCK = 7_226_193_501_447_113n

/**
 * kysely's own lock calls set_config(), which only a service's login role may do; this one is held to the end of the
 * transaction that migrates.
 */
class TransactionLockAdapter extends PostgresAdapter {
  override async acquireMigrationLock(db: Kysely<unknown>): Promise<void> {
    await sql`select pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK)})`.execute(db)
  }

  override releaseMigrationLock(): Promise<void> {
    return Promise.resolve()
  }
}
