import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { appFolder } from '../folders.ts'

/** A collection that is kept in Supabase, as its table is declared there. */
export interface SupabaseCollection {
  table: string
  scope: 'user' | 'tenant' | 'workspace'
}

export interface SupabaseDatabaseOptions {
  /** The superuser's connection string, to whatever database of the cluster. */
  adminUrl: string
  /** The password of the role `authenticator`. */
  password: string
  collections: readonly SupabaseCollection[]
}

const DATABASE = 'supabase'
const NO_LOGIN = ['anon', 'authenticated', 'service_role']

/**
 * A database `supabase` with the roles of a Supabase project, the tables of the collections and that of the provider keys, as an
 * operator makes them: by the SQL of data_store and of llm-proxy. Safe to repeat. Gives back the connection strings of `authenticator`, which PostgREST logs in
 * as, and of the superuser. Throws when a collection is not as it should be.
 */
export async function createSupabaseDatabase({ adminUrl, password, collections }: SupabaseDatabaseOptions) {
  await withClient(adminUrl, async (admin) => {
    const roles = await admin.query<{ name: string }>('select rolname as name from pg_roles')
    const known = new Set(roles.rows.map(({ name }) => name))
    for (const role of ['authenticator', ...NO_LOGIN]) {
      if (!known.has(role)) await admin.query(`create role ${role}`)
    }
    await admin.query(`
      alter role authenticator login noinherit nosuperuser nobypassrls password ${pg.escapeLiteral(password)};
      alter role anon nologin nosuperuser nobypassrls;
      alter role authenticated nologin nosuperuser nobypassrls;
      alter role service_role nologin nosuperuser bypassrls;
      grant anon, authenticated, service_role to authenticator with inherit false, set true;
    `)
    const existing = await admin.query('select from pg_database where datname = $1', [DATABASE])
    if (existing.rowCount === 0) await admin.query(`create database ${DATABASE} strategy file_copy`)
    await admin.query(`revoke connect, temporary on database ${DATABASE} from public`)
    await admin.query(`grant connect on database ${DATABASE} to authenticator`)
  })
  const ownUrl = urlWith(adminUrl, {})
  await withClient(ownUrl, async (admin) => {
    await admin.query(`
      grant usage on schema public to anon, authenticated, service_role;
      -- As in a project of Supabase: what is made there is everybody's unless the SQL takes that back.
      alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
      alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
    `)
    await declareCollections(admin, collections)
  })
  return { databaseUrl: urlWith(adminUrl, { username: 'authenticator', password }), adminUrl: ownUrl }
}

async function declareCollections(admin: pg.Client, collections: readonly SupabaseCollection[]) {
  await admin.query(readFileSync(join(appFolder('data_store'), 'supabase', 'collections.sql'), 'utf8'))
  await admin.query(readFileSync(join(appFolder('llm-proxy'), 'supabase', 'provider-keys.sql'), 'utf8'))
  for (const { table, scope } of collections) {
    await admin.query('select waybill.declare_collection($1, $2)', [table, scope])
  }
  await admin.query(`notify pgrst, 'reload schema'`)
  const { rows } = await admin.query<{ collection: string; fault: string }>('select * from waybill.faults()')
  if (rows.length === 0) return
  const faults = rows.map(({ collection, fault }) => `${collection}: ${fault}`)
  throw new Error(`Collections in Supabase are not as they should be:\n${faults.join('\n')}`)
}

function urlWith(url: string, to: { username?: string; password?: string }): string {
  return Object.assign(new URL(url), { ...to, pathname: `/${DATABASE}` }).href
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
