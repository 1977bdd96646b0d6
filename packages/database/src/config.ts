import { env } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'

/** The variables of a service that keeps data. URLs hold passwords, so they are secrets as a whole. */
export const databaseEnv = {
  DATABASE_URL: env
    .secret()
    .describe('The login role, with least privilege: `postgresql://data_store:...@host:5432/data_store`'),
  DATABASE_MIGRATION_URL: env
    .secret()
    .optional()
    .describe('The role that owns the schema; without it no migration runs, and the schema must be current'),
  DATABASE_USER_ROLE: env
    .text('')
    .describe("The role that requests run as; empty means the login role's name followed by `_user`"),
  DATABASE_POOL_SIZE: env.int({ min: 1, max: 500, default: 10 }).describe('The most connections to Postgres'),
  DATABASE_CONNECT_TIMEOUT_MS: env
    .int({ min: 100, max: 60_000, default: 3_000 })
    .describe('How long a request waits for a connection, new or from the pool, before it is answered 503'),
  DATABASE_STATEMENT_TIMEOUT_MS: env
    .int({ min: 10, max: 600_000, default: 15_000 })
    .describe('The longest that a statement may run, in milliseconds; 504 after that'),
  DATABASE_LOCK_TIMEOUT_MS: env
    .int({ min: 10, max: 600_000, default: 5_000 })
    .describe('The longest that a statement may wait for a lock, in milliseconds; 503 after that'),
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
