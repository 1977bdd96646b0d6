import { databaseName } from './roles.ts'
import { startPostgres } from './start.ts'

export interface TestPostgres {
  databaseUrl: string
  migrationUrl: string
  /** The superuser's connection string, to the service's database. */
  adminUrl: string
  close: () => Promise<void>
}

/**
 * A fresh cluster with one service's database and roles, for one test file.
 * @example
 * beforeAll(async () => { postgres = await startTestPostgres('data_store') })
 * afterAll(() => postgres.close())
 */
export async function startTestPostgres(service: string): Promise<TestPostgres> {
  const postgres = await startPostgres({ services: [service] })
  const adminUrl = new URL(postgres.adminUrl)
  adminUrl.pathname = `/${databaseName(service)}`
  return {
    databaseUrl: postgres.url(service),
    migrationUrl: postgres.migrationUrl(service),
    adminUrl: adminUrl.href,
    close: postgres.close,
  }
}
