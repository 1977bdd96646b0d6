import type { DeclaredCollection } from '../collections-file.ts'
import type { ProbeCredentials } from '../platform/probe.ts'
import type { Secrets } from '../secrets.ts'
import { postgrestBinary } from './binary.ts'
import { createSupabaseDatabase, type SupabaseCollection } from './database.ts'
import { followKeys, type KeysFollower } from './follow-keys.ts'
import { projectKeys, SUPABASE_AUDIENCE } from './keys.ts'
import { startPostgrest } from './start.ts'

export interface PlatformSupabase {
  url: string
  /** Of PostgREST; 0 while it is about to be started again. */
  readonly pid: number
  /** Believes tokens of auth-service, from when it is there; with `credentials` over HTTPS. */
  believe: (authService: string, credentials?: ProbeCredentials) => KeysFollower
  close: () => Promise<void>
}

export interface PlatformSupabaseOptions {
  /** The superuser of the platform's cluster. */
  adminUrl: string
  secrets: Secrets
  collections: readonly DeclaredCollection[]
  port?: number | undefined
  log: (line: string) => void
}

/**
 * The backend `supabase` of a platform: a database in its cluster with the collections that it declares, and a PostgREST, which is
 * started again when it ends.
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
  const collections = inSupabase(options.collections)
  const { databaseUrl } = await createSupabaseDatabase({ adminUrl, password, collections })
  const own = projectKeys(secrets.supabaseSecret)
  const postgrest = await startPostgrest({
    ...{ databaseUrl, jwks: own, log },
    audience: SUPABASE_AUDIENCE,
    restart: true,
    ...(port !== undefined && { port }),
  })
  return {
    url: postgrest.url,
    get pid() {
      return postgrest.pid
    },
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

function inSupabase(collections: readonly DeclaredCollection[]): SupabaseCollection[] {
  return collections
    .filter(({ backends }) => backends.includes('supabase'))
    .map(({ name, scope = 'user', supabase }) => ({ table: supabase?.table ?? name, scope }))
}
