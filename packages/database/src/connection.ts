import { FatalStartError } from '@waybill/service-kit'
import type { Logger, Secret } from '@waybill/service-kit'
import pg from 'pg'
import type { DatabaseConfig } from './config.ts'

/** The role name in a connection URL. Throws FatalStartError, naming the variable and never its value. */
export function roleIn(url: Secret, variable: string): string {
  const parsed = parse(url.reveal())
  if (!parsed || !['postgres:', 'postgresql:'].includes(parsed.protocol) || parsed.username === '') {
    throw new FatalStartError(`${variable} must look like postgresql://role:password@host:5432/database.`)
  }
  return decodeURIComponent(parsed.username)
}

/** A pool that survives losing its connections: a broken one is logged, dropped, and made anew when needed. */
export function createPool(
  url: Secret,
  config: DatabaseConfig,
  options: { name: string; size: number; log: Logger },
) {
  const pool = new pg.Pool({
    connectionString: url.reveal(),
    application_name: options.name,
    max: options.size,
    connectionTimeoutMillis: config.DATABASE_CONNECT_TIMEOUT_MS,
    keepAlive: true,
  })
  const onError = (error: Error) => {
    options.log.warn({ reason: error.message }, 'a database connection was lost')
  }
  pool.on('error', onError)
  // The pool listens to idle clients only: without this, a backend that dies between two statements of a
  // transaction would end the process with an unhandled 'error' event.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

/** `new URL` throws an error that quotes its input, password and all; this does not. */
function parse(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined
}
