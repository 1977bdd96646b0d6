import { randomBytes } from 'node:crypto'
import { startCluster } from './cluster.ts'
import { createServiceDatabases, databaseName } from './roles.ts'

/** The services that keep something in Postgres. */
export const DATABASE_SERVICES = [
  'auth-service',
  'llm-proxy',
  'data_store',
  'work-platform',
  'substrate-api',
] as const

export interface PostgresOptions {
  /** Where the data stay between runs. Without it the cluster is fresh, and gone at `close()`. */
  dataDir?: string
  /** A port of 127.0.0.1; without it any free one. */
  port?: number
  /** Which services get a database, named as their apps are. All by default. */
  services?: readonly string[]
  /** The password of a login role (`data_store`, `data_store_owner`); random by default. */
  passwordOf?: (role: string) => string
  /** What PostgreSQL prints, a line at a time. */
  log?: (line: string) => void
}

export interface Postgres {
  port: number
  /** Process id of the server. */
  pid: number
  /** Connection string of the service's own role, which may do nothing until it becomes S_user. */
  url: (service: string) => string
  /** Connection string of the role that owns the service's database and schema. */
  migrationUrl: (service: string) => string
  /** Connection string of the superuser, to the database `postgres`. */
  adminUrl: string
  /** Stops the server and, when it had no dataDir, removes its folder. */
  close: () => Promise<void>
}

/**
 * A real PostgreSQL 18 on 127.0.0.1 with a database and roles per service (see createServiceDatabases). It ends with
 * this process, however that ends. Throws PortTakenError when the port asked for is taken, PostgresStartError when
 * the server does not come up, for instance because another one runs on the same dataDir.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const { services = DATABASE_SERVICES, passwordOf = randomPassword } = options
  const databases = services.map((service) => {
    const database = databaseName(service)
    return { database, password: passwordOf(database), ownerPassword: passwordOf(`${database}_owner`) }
  })
  const cluster = await startCluster({ log: () => undefined, ...options })
  const urlOf = (role: string, password: string, database: string) =>
    postgresUrl({ role, password, database, port: cluster.port })
  const find = (service: string) => {
    const found = databases.find(({ database }) => database === databaseName(service))
    if (!found) throw new Error(`${service} has no database here.`)
    return found
  }
  try {
    await createServiceDatabases((database) => urlOf('postgres', cluster.password, database), databases)
  } catch (error) {
    await cluster.close()
    throw error
  }
  return {
    port: cluster.port,
    pid: cluster.pid,
    url: (service) => urlOf(find(service).database, find(service).password, find(service).database),
    migrationUrl: (service) =>
      urlOf(`${find(service).database}_owner`, find(service).ownerPassword, find(service).database),
    adminUrl: urlOf('postgres', cluster.password, 'postgres'),
    close: cluster.close,
  }
}

/** A connection string to 127.0.0.1. */
export function postgresUrl(to: { role: string; password: string; port: number; database: string }): string {
  return `postgresql://${to.role}:${encodeURIComponent(to.password)}@127.0.0.1:${to.port}/${to.database}`
}

function randomPassword(): string {
  return randomBytes(24).toString('base64url')
}
