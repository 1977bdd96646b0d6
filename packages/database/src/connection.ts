import { FatalStartError } from '@waybill/service-kit'
import type { Logger, Secret } from '@waybill/service-kit'
import pg from 'pg'
import type { DatabaseConfig } from './config.ts'
import { isReadTimeout } from './database-error.ts'

/** The role name in a connection URL. Throws FatalStartError, naming the variable and never its value. */
export function roleIn(url: Secret, variable: string): string {
  const parsed = parse(url.reveal())
  if (!parsed || !['postgres:', 'postgresql:'].includes(parsed.protocol) || parsed.username === '') {
    throw new FatalStartError(`${variable} must look like postgresql://role:password@host:5432/database.`)
  }
  return decodeURIComponent(parsed.username)
}

export interface PoolOptions {
  name: string
  size: number
  log: Logger
  /** How long a query waits for its answer, whatever became of the server; no limit unless said (migrations). */
  queryTimeoutMs?: number
}

/** A pool that survives losing its connections: a broken one is logged, dropped, and made anew when needed. */
export function createPool(
  url: Secret,
  config: Pick<DatabaseConfig, 'DATABASE_CONNECT_TIMEOUT_MS'>,
  options: PoolOptions,
) {
  const pool = new pg.Pool({
    Client: ImpatientClient,
    connectionString: url.reveal(),
    application_name: options.name,
    max: options.size,
    connectionTimeoutMillis: config.DATABASE_CONNECT_TIMEOUT_MS,
    ...(options.queryTimeoutMs !== undefined && { query_timeout: options.queryTimeoutMs }),
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
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

/**
 * When the answer to a query does not come in time, pg rejects it but keeps the connection, on which everything later
 * would wait behind that query. This one ends, so that the rollback fails at once and the pool drops it.
 */
class ImpatientClient extends pg.Client {
  override query(...given: never[]): never {
    const answer: unknown = Reflect.apply(super.query.bind(this), undefined, given)
    if (answer instanceof Promise) {
      answer.catch((error: unknown) => {
        if (isReadTimeout(error)) void this.end()
      })
    }
    return answer as never // pg's own answer: this one signature stands for all of its overloads
  }
}

/** `new URL` throws an error that quotes its input, password and all; this does not. */
function parse(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined
}
