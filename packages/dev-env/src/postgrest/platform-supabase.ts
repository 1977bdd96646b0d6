import { readFileSync } from 'node:fs'
import type { ProbeCredentials } from '../platform/probe.ts'
import type { Secrets } from '../secrets.ts'
import { collectionsFile } from '../service-environment.ts'
import { postgrestBinary } from './binary.ts'
import { createSupabaseDatabase, type SupabaseCollection } from './database.ts'
import { followKeys, type KeysFollower } from './follow-keys.ts'
import { projectKeys, SUPABASE_AUDIENCE } from './keys.ts'
import { startPostgrest } from './start.ts'

export interface PlatformSupabase {
  url: string
  /** Believes tokens of auth-service, from when it is there; with `credentials` over HTTPS. */
  believe: (authService: string, credentials?: ProbeCredentials) => KeysFollower
  close: () => Promise<void>
}

export interface PlatformSupabaseOptions {
  /** The superuser of the platform's cluster. */
  adminUrl: string
  secrets: Secrets
  port?: number | undefined
  log: (line: string) => void
}

/**
 * The backend `supabase` of a platform: a database in its cluster with the collections that it declares, and a PostgREST.
 * Undefined, and said so, where there is no PostgREST for this machine.
 */
export async function startPlatformSupabase(
  options: PlatformSupabaseOptions,
): Promise<PlatformSupabase | undefined> {
  const { adminUrl, secrets, port, log } = options
  if (postgrestBinary() === undefined) {
    log('there is no PostgREST for this machine: the backend supabase is not configured')
    return undefined
  }
  const password = secrets.databasePassword('authenticator')
  const collections = declaredCollections()
  const { databaseUrl } = await createSupabaseDatabase({ adminUrl, password, collections })
  const own = projectKeys(secrets.supabaseSecret)
  const postgrest = await startPostgrest({
    ...{ databaseUrl, jwks: own, log },
    audience: SUPABASE_AUDIENCE,
    ...(port !== undefined && { port }),
  })
  return {
    url: postgrest.url,
    believe: (authService, credentials) =>
      followKeys({
        url: authService,
        credentials,
        onKeys: ({ keys }) => {
          postgrest.setKeys({ keys: [...own.keys, ...keys] })
        },
      }),
    close: postgrest.close,
  }
}

/** What collections.json declares for Supabase. data_store checks the file; here it is the platform's own. */
function declaredCollections(): SupabaseCollection[] {
  interface Declared {
    name: string
    backends: string[]
    scope?: SupabaseCollection['scope']
    supabase?: { table?: string }
  }
  const { collections } = JSON.parse(readFileSync(collectionsFile, 'utf8')) as { collections: Declared[] }
  return collections
    .filter(({ backends }) => backends.includes('supabase'))
    .map(({ name, scope = 'user', supabase }) => ({ table: supabase?.table ?? name, scope }))
}
