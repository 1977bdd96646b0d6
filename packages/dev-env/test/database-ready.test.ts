import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestPostgres, type TestPostgres } from '../src/index.ts'
import { databaseReady } from '../src/postgres/database-ready.ts'

let postgres: TestPostgres
beforeAll(async () => {
  postgres = await startTestPostgres('substrate-api')
})
afterAll(() => postgres.close())

it('a service of npm run dev waits for a database that is not there yet, or not whole', async () => {
  const stop = new AbortController()
  await databaseReady(postgres.databaseUrl, stop.signal)

  const missing = new URL(postgres.databaseUrl)
  missing.pathname = '/not_yet'
  const admin = new pg.Client({ connectionString: postgres.adminUrl })
  await admin.connect()
  await admin.query('CREATE DATABASE not_yet')
  let isReady = false
  const waiting = databaseReady(missing.href, stop.signal).then(() => (isReady = true))
  await untilConnected(admin, 'not_yet')
  expect(isReady).toBe(false)
  await admin.query(`COMMENT ON DATABASE not_yet IS 'Waybill: ready'`)
  await waiting
  await admin.end()

  missing.pathname = '/never'
  const given = databaseReady(missing.href, stop.signal)
  stop.abort()
  await expect(given).rejects.toMatchObject({ name: 'AbortError' })
})

/** Resolves when somebody has looked into `database`: its statistics count those who came. */
async function untilConnected(admin: pg.Client, database: string): Promise<void> {
  for (;;) {
    const { rows } = await admin.query<{ sessions: string }>(
      'SELECT sessions FROM pg_stat_database WHERE datname = $1',
      [database],
    )
    if (Number(rows[0]?.sessions) > 0) return
  }
}
