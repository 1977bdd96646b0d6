import type { Database } from '@waybill/database'
import type { HttpClient, OnBehalfOf } from '@waybill/http-client'
import type { Logger } from '@waybill/service-kit'
import type { Backend, Backends } from '../backend.ts'
import type { Collection } from '../collections/collection.ts'
import type { Collections } from '../collections/collections.ts'
import type { Config } from '../config.ts'
import type { Tables } from '../tables.ts'
import { checkDeclared } from './filemaker/declared.ts'
import { openFileMaker } from './filemaker/open.ts'
import { createLanceBackend } from './lancedb/backend.ts'
import { createLanceTables } from './lancedb/tables.ts'
import { createVectorCollections } from './lancedb/vector-collections.ts'
import { createPostgresBackend } from './postgres/backend.ts'
import { supabaseSettings } from './supabase/config.ts'
import { AUDIENCE, createSupabase } from './supabase/supabase.ts'

/** Every backend that this service knows, by the names that stand in its paths. */
export interface OpenBackends {
  backends: Backends
  /** @throws ConfigError naming a collection that is declared as its backend cannot keep it */
  check(collections: Collections): void
  /** Opens what must be open before the first operation. @throws FatalStartError for what a retry cannot mend */
  start(collections: Collections): Promise<void>
  close(): Promise<void>
}

export interface OpenOptions {
  config: Config
  database: Database<Tables>
  client: HttpClient
  /** Callers' tokens for Supabase; auth-service's unless said. */
  supabaseTokens: OnBehalfOf | undefined
  log: Logger
}

interface Opened {
  backend: Backend
  start?: (declared: readonly Collection[]) => Promise<void>
  close?: () => Promise<void>
}

/** The backends that are configured; of the others the names alone. Nothing is connected to yet. */
export function openBackends(options: OpenOptions): OpenBackends {
  const { config, database, client, log } = options
  const all = Object.entries<Opened | undefined>({
    postgres: { backend: createPostgresBackend(database) },
    supabase: openSupabase(options),
    lancedb: openLanceDb(options),
    filemaker: openFileMaker(config, client, log),
  })
  return {
    backends: new Map(all.map(([name, opened]) => [name, opened?.backend])),
    check(collections) {
      checkDeclared(collections.list('filemaker'))
    },
    async start(collections) {
      for (const [name, opened] of all) await opened?.start?.(collections.list(name))
    },
    async close() {
      await Promise.all(all.map(async ([, opened]) => opened?.close?.()))
    },
  }
}

function openSupabase({ config, client, supabaseTokens, log }: OpenOptions): Opened | undefined {
  const settings = supabaseSettings(config)
  if (!settings) return undefined
  const tokens = supabaseTokens ?? client.onBehalfOf(AUDIENCE)
  const supabase = createSupabase({ settings, client, tokens, maxScanned: config.SCAN_MAX_RECORDS, log })
  return { backend: supabase.backend, start: (declared) => supabase.verify(declared) }
}

function openLanceDb({ config, database, log }: OpenOptions): Opened | undefined {
  if (config.LANCEDB_PATH === '') return undefined
  const tables = createLanceTables({
    path: config.LANCEDB_PATH,
    maintenanceMs: config.LANCEDB_MAINTENANCE_MS,
    log,
  })
  const backend = createLanceBackend({
    tables,
    collections: createVectorCollections(database),
    maxDimensions: config.VECTOR_MAX_DIMENSIONS,
    scanMaxRecords: config.SCAN_MAX_RECORDS,
  })
  return { backend, start: () => tables.start(), close: () => tables.close() }
}
