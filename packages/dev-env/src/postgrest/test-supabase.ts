import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { startCluster } from '../postgres/cluster.ts'
import { postgresUrl } from '../postgres/start.ts'
import { createSupabaseDatabase, type SupabaseCollection } from './database.ts'
import { projectKeys, PUBLISHABLE_KEY, serviceRoleKey, SUPABASE_AUDIENCE } from './keys.ts'
import { startPostgrest, type Jwks, type Postgrest } from './start.ts'

export interface TestSupabaseOptions {
  collections: readonly SupabaseCollection[]
  /** Whose tokens are believed beside the project's own keys; without it a key of its own, which `signingKey` has. */
  jwks?: Jwks
  /** The superuser of a cluster that is running; without it a cluster of its own. */
  adminUrl?: string
  maxRows?: number
}

export interface TestSupabase {
  url: string
  audience: string
  publishableKey: string
  secretKey: string
  /** For signAccessToken. */
  signingKey: { kid: string; alg: string; privateKey: KeyObject }
  /** The superuser's connection string, to the database `supabase`. */
  adminUrl: string
  postgrest: () => Postgrest
  /** Kills PostgREST; its port answers nobody. */
  kill: () => Promise<void>
  /** Starts it again where it was. */
  restart: () => Promise<void>
  /** Replaces the keys that are believed, the project's own beside them. */
  setKeys: (jwks: Jwks) => void
  close: () => Promise<void>
}

/**
 * What a Supabase project is to data_store: a real PostgREST over a real PostgreSQL with the tables of the collections. Throws
 * NoPostgrestError where the platform has none.
 * @example
 * beforeAll(async () => { supabase = await startTestSupabase({ collections: [{ table: 'notes', scope: 'user' }] }) })
 * afterAll(() => supabase.close())
 */
export async function startTestSupabase(options: TestSupabaseOptions): Promise<TestSupabase> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signingKey = { kid: 'test-supabase', alg: 'ES256', privateKey: pair.privateKey }
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: signingKey.kid, alg: 'ES256', use: 'sig' }
  const secret = randomBytes(32).toString('base64url')
  const withProject = (jwks: Jwks): Jwks => ({ keys: [...projectKeys(secret).keys, ...jwks.keys] })

  const cluster = options.adminUrl === undefined ? await startCluster({ log: () => undefined }) : undefined
  const clusterUrl =
    options.adminUrl ??
    postgresUrl({
      ...{ role: 'postgres', database: 'postgres' },
      ...{ password: cluster?.password ?? '', port: cluster?.port ?? 0 },
    })
  try {
    const database = await createSupabaseDatabase({
      adminUrl: clusterUrl,
      password: randomBytes(24).toString('base64url'),
      collections: options.collections,
    })
    const start = (port?: number) =>
      startPostgrest({
        databaseUrl: database.databaseUrl,
        jwks: withProject(options.jwks ?? { keys: [jwk] }),
        audience: SUPABASE_AUDIENCE,
        ...(options.maxRows !== undefined && { maxRows: options.maxRows }),
        ...(port !== undefined && { port }),
      })
    let postgrest = await start()
    const { url, port } = postgrest
    return {
      ...{ url, signingKey },
      audience: SUPABASE_AUDIENCE,
      publishableKey: PUBLISHABLE_KEY,
      secretKey: serviceRoleKey(secret),
      adminUrl: database.adminUrl,
      postgrest: () => postgrest,
      kill: () => postgrest.close(),
      async restart() {
        postgrest = await start(port)
      },
      setKeys: (jwks) => {
        postgrest.setKeys(withProject(jwks))
      },
      async close() {
        await postgrest.close()
        await cluster?.close()
      },
    }
  } catch (error) {
    await cluster?.close()
    throw error
  }
}
