import { readFile, readdir } from 'node:fs/promises'
import { basename } from 'node:path'
import { FatalStartError } from '@waybill/service-kit'
import { sql } from 'kysely'
import type { Kysely, QueryExecutorProvider, Transaction } from 'kysely'
import { Migrator } from 'kysely/migration'
import type { Migration } from 'kysely/migration'
import { isOutOfReach } from './database-error.ts'

/** Each set of migrations is counted in a table of its own, so that this package and an app never wait for each other's numbers. */
export interface MigrationSet {
  table: string
  folder: URL
}

/** What `:"login_role"` and `:"user_role"` stand for in a migration, written as psql writes a quoted variable. */
export interface MigrationRoles {
  login_role: string
  user_role: string
}

const FILE_NAME = /^\d{4}_[a-z0-9_]+\.sql$/

/**
 * Brings the schema up to date. All of it is one transaction under an advisory lock: starters at the same time wait
 * for each other, and a migration that fails leaves nothing of itself or of those before it.
 * @returns the names of the migrations that ran.
 * @throws FatalStartError naming the file, and the line where Postgres tells it.
 */
export async function migrate(
  db: Kysely<unknown>,
  sets: MigrationSet[],
  roles: MigrationRoles,
): Promise<string[]> {
  return db.transaction().execute(async (tx) => {
    const adapter = tx.getExecutor().adapter
    await adapter.acquireMigrationLock(tx, { lockTable: '', lockRowId: '', lockTableSchema: undefined })
    const ran: string[] = []
    for (const set of sets) ran.push(...(await migrateSet(tx, set, roles)))
    return ran
  })
}

async function migrateSet(
  tx: Transaction<unknown>,
  set: MigrationSet,
  roles: MigrationRoles,
): Promise<string[]> {
  const migrations = await readMigrations(set.folder, roles)
  const migrator = new Migrator({
    db: tx,
    provider: { getMigrations: () => Promise.resolve(migrations) },
    migrationTableName: set.table,
    migrationLockTableName: `${set.table}_lock`,
  })
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error === undefined) {
    const ran = results.map(({ migrationName }) => migrationName)
    if (ran.length > 0)
      await sql`grant select on ${sql.table(set.table)} to ${sql.id(roles.login_role)}`.execute(tx)
    return ran
  }
  if (error instanceof Error && isOutOfReach(error)) throw error
  const failed = results.find(({ status }) => status === 'Error')?.migrationName
  throw new FatalStartError(
    `${failed === undefined ? 'Migrations' : `Migration ${failed}`}: ${messageOf(error)}`,
    {
      cause: error,
    },
  )
}

/**
 * For a service without the owner's URL.
 * @throws FatalStartError naming the migrations that have yet to run.
 */
export async function refuseStaleSchema(
  db: QueryExecutorProvider,
  sets: MigrationSet[],
  roles: MigrationRoles,
) {
  const pending: string[] = []
  for (const set of sets) {
    const wanted = Object.keys(await readMigrations(set.folder, roles))
    const done = await executed(db, set.table)
    pending.push(...wanted.filter((name) => !done.has(name)))
  }
  if (pending.length === 0) return
  throw new FatalStartError(
    `The database schema is not current: ${pending.join(', ')} has yet to run. Set DATABASE_MIGRATION_URL, or migrate first.`,
  )
}

async function executed(db: QueryExecutorProvider, table: string): Promise<Set<string>> {
  const { rows } = await sql<{ there: boolean }>`select to_regclass(${table}) is not null as there`.execute(
    db,
  )
  if (rows[0]?.there !== true) return new Set()
  const names = await sql<{ name: string }>`select name from ${sql.table(table)}`.execute(db)
  return new Set(names.rows.map(({ name }) => name))
}

async function readMigrations(folder: URL, roles: MigrationRoles): Promise<Record<string, Migration>> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql'))
  const wrong = files.find((name) => !FILE_NAME.test(name))
  if (wrong !== undefined)
    throw new FatalStartError(`The migration ${wrong} is not named like 0001_what_it_makes.sql.`)
  const migrations: Record<string, Migration> = {}
  for (const file of files.sort()) {
    const text = withRoles(await readFile(new URL(file, folder), 'utf8'), roles, file)
    migrations[basename(file, '.sql')] = {
      up: async (tx) => {
        await sql
          .raw(text)
          .execute(tx)
          .catch((error: unknown) => {
            throw located(error, text)
          })
      },
    }
  }
  return migrations
}

function withRoles(text: string, roles: MigrationRoles, file: string): string {
  return text.replace(/:"(\w+)"/g, (_, name: string) => {
    if (name !== 'login_role' && name !== 'user_role') {
      throw new FatalStartError(
        `The migration ${file} uses :"${name}"; known are :"login_role" and :"user_role".`,
      )
    }
    return `"${roles[name].replaceAll('"', '""')}"`
  })
}

/** Postgres gives the place of an error as a position in the text; people look for a line. */
function located(error: unknown, text: string): unknown {
  if (!(error instanceof Error) || !('position' in error) || typeof error.position !== 'string') return error
  const line = text.slice(0, Number(error.position)).split('\n').length
  error.message = `line ${String(line)}: ${error.message}`
  return error
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
