import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { READY } from './roles.ts'

const POLL_MS = 100

/**
 * Resolves when the database of a service is there with all its roles and privileges. A service that comes before would be
 * refused, and take that for an error in its settings. Throws the reason of `stop` when that is aborted.
 */
export async function databaseReady(url: string, stop: AbortSignal): Promise<void> {
  while (!(await isReady(url))) await delay(POLL_MS, undefined, { signal: stop })
}

async function isReady(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const { rows } = await client.query<{ comment: string | null }>(
      `SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = current_database()`,
    )
    return rows[0]?.comment === READY
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}
