import type { Database } from '@waybill/database'
import { supabaseOutside, supabaseProject } from '@waybill/http-client'
import type { HttpClient } from '@waybill/http-client'
import { ConfigError } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import type { Config } from '../config.ts'
import type { Tables } from '../tables.ts'
import { createAudited } from './audited.ts'
import type { KeyStore } from './key-store.ts'
import { createPostgresKeyStore } from './store-postgres.ts'
import { createSupabaseKeyStore, KEY_STORE_NAME, SUPABASE_AUDIENCE } from './store-supabase.ts'

export interface OpenStoreOptions {
  config: Config
  database: Database<Tables>
  http: Pick<HttpClient, 'external' | 'onBehalfOf'>
  log: Logger
}

/** The store that KEY_STORE names. @throws ConfigError when that is Supabase and no project is configured */
export function openKeyStore({ config, database, http, log }: OpenStoreOptions): KeyStore {
  const kept = createPostgresKeyStore(database)
  if (config.KEY_STORE === 'postgres') return kept
  const project = supabaseProject(config)
  if (!project)
    throw new ConfigError([{ variable: 'SUPABASE_URL', message: 'is required with KEY_STORE=supabase' }])
  return createSupabaseKeyStore({
    ...{ project, log },
    client: http.external(supabaseOutside(project, KEY_STORE_NAME)),
    tokens: http.onBehalfOf(SUPABASE_AUDIENCE),
    audited: createAudited(database, log),
    note: (principal, entry) => kept.note(principal, entry),
  })
}
