import { supabaseOutside } from '@waybill/http-client'
import type { HttpClient, OnBehalfOf } from '@waybill/http-client'
import type { Logger } from '@waybill/service-kit'
import { SPAN } from '@waybill/telemetry'
import type { Backend } from '../../backend.ts'
import type { Collection } from '../../collections/collection.ts'
import { bulkhead } from '../bulkhead.ts'
import { traced } from '../traced.ts'
import { createAdminClient } from './admin-client.ts'
import { createSupabaseBackend } from './backend.ts'
import type { SupabaseSettings } from './config.ts'
import { createSchemaReload } from './schema-reload.ts'
import { createUserClient } from './user-client.ts'

/** The name by which auth-service knows whom the tokens are for (DELEGATION). */
export const AUDIENCE = 'supabase'

/** How long an operation waits for one of those before it. */
const WAIT_MS = 1_000

export interface SupabaseOptions {
  settings: SupabaseSettings
  client: Pick<HttpClient, 'external'>
  tokens: OnBehalfOf
  maxScanned: number
  log: Logger
}

export interface Supabase {
  backend: Backend
  /** Looks whether the tables of the collections are there, if there is a secret key, and logs what is missing. Never fails. */
  verify(collections: readonly Collection[]): Promise<void>
}

/**
 * A project of Supabase by two clients that share nothing: one for users, with the publishable key and the caller's token, and
 * one for the service's own operations, with the secret key. The backend is given the first only.
 */
export function createSupabase({ settings, client, tokens, maxScanned, log }: SupabaseOptions): Supabase {
  const { secretKey } = settings
  const outside = supabaseOutside(settings, 'The backend supabase')
  const admin = secretKey && createAdminClient(client.external(outside), settings, secretKey)
  const reload = createSchemaReload(admin, log)
  const user = createUserClient({
    ...{ settings, tokens, reload, log },
    client: client.external(outside),
  })
  const { maxConcurrent } = settings
  const backend = bulkhead(createSupabaseBackend({ user, maxScanned }), {
    ...{ name: 'supabase', most: maxConcurrent, waiting: { most: maxConcurrent, ms: WAIT_MS } },
  })
  return {
    backend: traced(backend, SPAN.supabase, 'postgrest'),
    async verify(collections) {
      if (!admin) return
      try {
        const missing = await admin.missingTables(collections.map(({ table }) => table))
        if (missing.length > 0)
          log.error({ missing }, 'Supabase has no such tables: run collections.sql there')
      } catch (error) {
        log.warn({ err: error }, 'Supabase could not be asked whether its tables are there')
      }
    },
  }
}
