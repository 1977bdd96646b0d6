import pg from 'pg'

/** A database and the roles that may enter it. */
export interface ServiceDatabase {
  database: string
  password: string
  ownerPassword: string
}

/** The comment on a database to which nothing is missing any more: see databaseReady. */
export const READY = 'Waybill: ready'

const SAFE = 'NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS'

/**
 * The database of a service: its name with underscores, as hyphens want quotes in SQL. Throws when what is left is
 * no plain identifier.
 */
export function databaseName(service: string): string {
  const name = service.replaceAll('-', '_')
  if (!/^[a-z][a-z0-9_]{0,50}$/.test(name)) throw new Error(`${service} cannot name a database.`)
  return name
}

/**
 * Gives every service its database S and its roles: S_owner owns database and schema and migrates; S logs in and may
 * nothing by itself (NOINHERIT); S_user, which S turns into per request, is what table privileges and row-level
 * security speak of. Nobody else may connect. `set_config` is for S alone: once it has become S_user, a request cannot
 * rewrite its own claims. Nobody makes temporary tables: one called like a table of the service would stand before it for
 * whoever borrows the connection next. Safe to repeat on a cluster that has them; passwords are set anew.
 */
export async function createServiceDatabases(
  urlOf: (database: string) => string,
  wanted: readonly ServiceDatabase[],
) {
  await withClient(urlOf('postgres'), async (admin) => {
    const roles = await names(admin, 'SELECT rolname AS name FROM pg_roles')
    const databases = await names(admin, 'SELECT datname AS name FROM pg_database')
    await admin.query(wanted.map((service) => roleStatements(service, roles)).join(''))
    for (const { database } of wanted) {
      if (databases.has(database)) continue
      await admin.query(`CREATE DATABASE ${database} OWNER ${database}_owner STRATEGY FILE_COPY`)
    }
    const all = [...new Set([...databases, ...wanted.map(({ database }) => database)])]
    const revokes = all.map(
      (name) => `REVOKE CONNECT, TEMPORARY ON DATABASE ${admin.escapeIdentifier(name)} FROM PUBLIC;`,
    )
    const grants = wanted.map(({ database: s }) => `GRANT CONNECT ON DATABASE ${s} TO ${s}, ${s}_owner;`)
    await admin.query([...revokes, ...grants].join('\n'))
  })
  await Promise.all(
    wanted.map(({ database }) =>
      withClient(urlOf(database), (admin) => admin.query(privilegeStatements(database))),
    ),
  )
}

function roleStatements(
  { database: s, password, ownerPassword }: ServiceDatabase,
  existing: Set<string>,
): string {
  const create = [`${s}_owner`, s, `${s}_user`].filter((role) => !existing.has(role))
  return [
    ...create.map((role) => `CREATE ROLE ${role};`),
    `ALTER ROLE ${s}_owner LOGIN ${SAFE} PASSWORD ${pg.escapeLiteral(ownerPassword)};`,
    `ALTER ROLE ${s} LOGIN NOINHERIT ${SAFE} PASSWORD ${pg.escapeLiteral(password)};`,
    `ALTER ROLE ${s}_user NOLOGIN ${SAFE};`,
    `GRANT ${s}_user TO ${s} WITH INHERIT FALSE, SET TRUE;`,
    '',
  ].join('\n')
}

function privilegeStatements(s: string): string {
  return `
    REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO ${s};
    ALTER SCHEMA public OWNER TO ${s}_owner;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    GRANT USAGE ON SCHEMA public TO ${s}, ${s}_user;
    COMMENT ON DATABASE ${s} IS '${READY}';
  `
}

async function names(client: pg.Client, query: string): Promise<Set<string>> {
  const { rows } = await client.query<{ name: string }>(query)
  return new Set(rows.map(({ name }) => name))
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
