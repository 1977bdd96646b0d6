import { env } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'

/** The variables of a service that keeps data. URLs hold passwords, so they are secrets as a whole. */
export const databaseEnv = {
  /** The login role of the service, the one with least privilege: `postgresql://data_store:...@host:5432/data_store`. */
  DATABASE_URL: env.secret(),
  /** The role that owns the schema. Without it no migration runs, and the schema must be current already. */
  DATABASE_MIGRATION_URL: env.secret().optional(),
  /** The role that requests run as; empty means the login role's name followed by `_user`. */
  DATABASE_USER_ROLE: env.text(''),
  DATABASE_POOL_SIZE: env.int({ min: 1, max: 500, default: 10 }),
  /** How long a request waits for a connection, new or from the pool, before it is answered 503. */
  DATABASE_CONNECT_TIMEOUT_MS: env.int({ min: 100, max: 60_000, default: 3_000 }),
  DATABASE_STATEMENT_TIMEOUT_MS: env.int({ min: 10, max: 600_000, default: 15_000 }),
  DATABASE_LOCK_TIMEOUT_MS: env.int({ min: 10, max: 600_000, default: 5_000 }),
}

export interface DatabaseConfig {
  DATABASE_URL: Secret
  DATABASE_MIGRATION_URL?: Secret | undefined
  DATABASE_USER_ROLE: string
  DATABASE_POOL_SIZE: number
  DATABASE_CONNECT_TIMEOUT_MS: number
  DATABASE_STATEMENT_TIMEOUT_MS: number
  DATABASE_LOCK_TIMEOUT_MS: number
}
