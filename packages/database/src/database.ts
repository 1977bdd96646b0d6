import { AsyncLocalStorage } from 'node:async_hooks'
import { FatalStartError, Problem, requestContext, unavailable } from '@waybill/service-kit'
import type { Logger, Principal } from '@waybill/service-kit'
import { activeTrace, ATTRIBUTE, SPAN, withSpan } from '@waybill/telemetry'
import { Kysely, sql } from 'kysely'
import type { QueryExecutorProvider, Transaction } from 'kysely'
import { beginStatements } from './claims.ts'
import type { OwnerScope } from './claims.ts'
import type { DatabaseConfig } from './config.ts'
import { createPool, roleIn } from './connection.ts'
import {
  asProblem,
  isOutOfReach,
  isRefusedCommit,
  isRefusedLogin,
  markUndecided,
  tooLong,
} from './database-error.ts'
import { ScopedDialect } from './dialect.ts'
import type { BeginScope } from './dialect.ts'
import { migrate, refuseStaleSchema } from './migrations.ts'
import type { MigrationSet } from './migrations.ts'
import { refusePowerfulRole } from './role-check.ts'

export interface OpenDatabaseOptions {
  config: DatabaseConfig
  /** The app's folder of `NNNN_name.sql` files: `new URL('../migrations/', import.meta.url)`. */
  migrations: URL
  log: Logger
  /** The service's name, for Postgres' list of connections and for audit rows outside any request. */
  service?: string
}

export interface TransactionOptions {
  /** Postgres refuses every write. */
  readOnly?: boolean
  /** `waybill.scope`, for policies on what belongs to a tenant or a workspace; `user` unless said. */
  scope?: OwnerScope
}

/** A service's own database. Nothing connects before the first use. */
export interface Database<DB> {
  /**
   * Migrates (or checks the schema) and makes sure that the login role is a weak one.
   * @throws FatalStartError for what a retry cannot mend; anything else may pass by itself.
   */
  start(signal?: AbortSignal): Promise<void>
  /** Resolves while Postgres answers. @throws Problem `unavailable`. */
  check(): Promise<void>
  /**
   * Runs `work` in a transaction under row-level security: as the user role, with the principal's claims for exactly
   * as long as the transaction lasts. Commits what `work` returns, rolls back what it throws.
   * @throws Problem `unavailable` or `timeout`; other errors of Postgres as they are. Unless isUndecided() says otherwise of it,
   *   everything was rolled back.
   */
  withPrincipal<T>(principal: Principal, work: Work<DB, T>, options?: TransactionOptions): Promise<T>
  /** The same as the service's login role and with no claims, for what belongs to no principal (a login, say). */
  withoutPrincipal<T>(work: Work<DB, T>, options?: TransactionOptions): Promise<T>
  /** Ends every connection, after the transactions that still run. */
  close(): Promise<void>
}

type Work<DB, T> = (tx: Transaction<DB>) => Promise<T>

/** So much later than the server's own limit a client stops waiting: then the server, or the way to it, is gone. */
const ANSWER_MARGIN_MS = 1_000

/** Postgres' time-outs are 32-bit integers. */
const LONGEST_TIMEOUT_MS = 2 ** 31

const OWN_MIGRATIONS: MigrationSet = {
  table: 'waybill_migration',
  folder: new URL('../migrations/', import.meta.url),
}

/**
 * Opens the database of one service.
 * @throws FatalStartError when a URL in the configuration is none; no connection is made yet.
 */
export function openDatabase<DB>({ config, migrations, log, service }: OpenDatabaseOptions): Database<DB> {
  const loginRole = roleIn(config.DATABASE_URL, 'DATABASE_URL')
  if (config.DATABASE_MIGRATION_URL) roleIn(config.DATABASE_MIGRATION_URL, 'DATABASE_MIGRATION_URL')
  const userRole = config.DATABASE_USER_ROLE || `${loginRole}_user`
  const roles = { login_role: loginRole, user_role: userRole }
  const sets = [OWN_MIGRATIONS, { table: 'kysely_migration', folder: migrations }]
  const name = service ?? loginRole

  const scope: BeginScope = new AsyncLocalStorage()
  const pool = createPool(config.DATABASE_URL, config, {
    name,
    size: config.DATABASE_POOL_SIZE,
    log,
    queryTimeoutMs: config.DATABASE_STATEMENT_TIMEOUT_MS + ANSWER_MARGIN_MS,
  })
  const db = new Kysely<DB>({ dialect: new ScopedDialect(pool, scope) })
  let started = false
  let boundsTransactions = false

  async function migrateAsOwner(url: NonNullable<DatabaseConfig['DATABASE_MIGRATION_URL']>): Promise<void> {
    const ownerPool = createPool(url, config, { name: `${name} migrations`, size: 1, log })
    const owner = new Kysely<unknown>({ dialect: new ScopedDialect(ownerPool, scope) })
    try {
      const ran = await migrate(owner, sets, roles)
      if (ran.length > 0) log.info({ migrations: ran }, 'migrated the database')
    } finally {
      await owner.destroy()
    }
  }

  async function transaction<T>(work: Work<DB, T>, options: TransactionOptions, as?: Principal): Promise<T> {
    if (!started) throw unavailable('The database')
    const readOnly = options.readOnly ?? false
    const deadline = requestContext()?.deadline ?? Infinity
    const begin = () => {
      const left = timeLeft(deadline)
      return beginStatements({
        readOnly,
        statementTimeoutMs: Math.min(config.DATABASE_STATEMENT_TIMEOUT_MS, left),
        lockTimeoutMs: config.DATABASE_LOCK_TIMEOUT_MS,
        transactionTimeoutMs: boundsTransactions && left < LONGEST_TIMEOUT_MS ? left : undefined,
        ...(as && { as: { principal: as, role: userRole, scope: options.scope } }),
      })
    }
    let isCommitting = false
    const workInTime: Work<DB, T> = async (tx) => {
      const result = await work(tx)
      timeLeft(deadline) // or the caller, told that it was too late, would find it done
      isCommitting = true
      return result
    }
    const attributes = {
      [ATTRIBUTE.system]: 'postgresql',
      [ATTRIBUTE.operation]: readOnly ? 'read' : 'write',
    }
    const run = () =>
      scope.run(begin, () => db.transaction().execute((tx) => scope.exit(() => workInTime(tx))))
    // Of housekeeping, outside any trace, there would only be roots that belong to no journey.
    const done = activeTrace() ? withSpan(SPAN.database, attributes, run) : run()
    return done.catch((error: unknown) => {
      // A connection that is gone after the deadline is one that transaction_timeout ended between two statements.
      const problem = Date.now() >= deadline && isOutOfReach(error) ? tooLong(error) : asProblem(error)
      throw isCommitting && !isRefusedCommit(error) ? markUndecided(problem) : problem
    })
  }

  return {
    async start(signal) {
      signal?.throwIfAborted()
      try {
        if (config.DATABASE_MIGRATION_URL) await migrateAsOwner(config.DATABASE_MIGRATION_URL)
        await refusePowerfulRole(db, userRole)
        boundsTransactions = await hasTransactionTimeout(db)
        if (!config.DATABASE_MIGRATION_URL) await refuseStaleSchema(db, sets, roles)
      } catch (error) {
        throw isRefusedLogin(error)
          ? new FatalStartError(`The database: ${error.message}`, { cause: error })
          : asProblem(error)
      }
      started = true
    },
    async check() {
      if (!started) throw unavailable('The database')
      await sql`select 1`.execute(db).catch((error: unknown) => {
        throw asProblem(error)
      })
    },
    withPrincipal: (principal, work, options = {}) => transaction(work, options, principal),
    withoutPrincipal: (work, options = {}) => transaction(work, options),
    async close() {
      started = false
      await db.destroy()
    },
  }
}

/** Milliseconds to the deadline, at least one. Nothing starts, and nothing is committed, for a caller who has stopped waiting. */
function timeLeft(deadline: number): number {
  const left = Math.ceil(deadline - Date.now())
  if (left < 1) throw new Problem('timeout', 'The time for this request ran out in the database.')
  return left
}

/** `transaction_timeout` came with PostgreSQL 17. */
async function hasTransactionTimeout(db: QueryExecutorProvider): Promise<boolean> {
  const { rows } = await sql<{ there: boolean }>`
    select current_setting('server_version_num')::int >= 170000 as there`.execute(db)
  return rows[0]?.there === true
}
