import { createServiceAuth } from '@waybill/auth'
import type { Issuer } from '@waybill/auth'
import { openDatabase } from '@waybill/database'
import { createHttpClient } from '@waybill/http-client'
import type { OnBehalfOf } from '@waybill/http-client'
import { ConfigError, createLogger, createService, openTls } from '@waybill/service-kit'
import type { Logger, Service } from '@waybill/service-kit'
import { createAuditTrail } from './audit/trail.ts'
import { openBackends } from './backends/open.ts'
import { createCollections } from './collections/collections.ts'
import { readDeclarations } from './collections/declarations.ts'
import type { Config } from './config.ts'
import { createIdempotency } from './records/idempotency.ts'
import { createJournal } from './audit/journal.ts'
import { createRecords } from './records/records.ts'
import { auditRoutes } from './routes/audit.ts'
import { backendRoutes } from './routes/backends.ts'
import { bulkRoutes } from './routes/bulk.ts'
import { recordRoutes } from './routes/records.ts'
import { searchRoutes } from './routes/search.ts'
import type { Tables } from './tables.ts'

export interface Dependencies {
  issuer: Issuer
  log: Logger
  /** Callers' tokens for Supabase; auth-service's unless said. */
  supabaseTokens: OnBehalfOf
}

const NAME = 'data_store'

/** The service, from its configuration: records in four backends behind one API, and the audit of what is done to them. */
export function createApp(config: Config, overrides: Partial<Dependencies> = {}): Service {
  // Twice as long as any request may take: by then none is at work any more.
  const atWorkMs = 2 * config.REQUEST_TIMEOUT_MS
  const keptMs = config.IDEMPOTENCY_TTL_SECONDS * 1_000
  if (keptMs <= atWorkMs) throw keptTooShort()
  const log = overrides.log ?? createLogger({ service: NAME, level: config.LOG_LEVEL })
  const tls = openTls({ service: NAME, config, logger: log })
  const client = createHttpClient({ service: NAME, config, tls })
  const auth = createServiceAuth({
    config,
    issuer: overrides.issuer ?? client.issuer,
    audiences: [NAME, config.PLATFORM_AUDIENCE],
    tls,
    log,
  })

  const migrations = new URL('../migrations/', import.meta.url)
  const database = openDatabase<Tables>({ config, migrations, log, service: NAME })
  const { supabaseTokens } = overrides
  const opened = openBackends({ config, database, client, supabaseTokens, log })
  const { backends } = opened
  const collections = createCollections({
    declarations: readDeclarations(config.COLLECTIONS_FILE),
    backends: [...backends.keys()],
    undeclared: config.UNDECLARED_COLLECTIONS,
  })
  opened.check(collections)
  const limits = {
    maxBytes: config.RECORD_MAX_BYTES,
    maxDepth: config.RECORD_MAX_DEPTH,
    maxRecords: config.BULK_MAX_RECORDS,
    maxConditions: config.FILTER_MAX_CONDITIONS,
    maxPageBytes: config.PAGE_MAX_BYTES,
  }
  const journal = createJournal({
    database,
    batchMs: config.AUDIT_BATCH_MS,
    bufferSize: config.AUDIT_BUFFER_SIZE,
    interruptedAfterMs: atWorkMs,
    log,
  })
  const idempotency = createIdempotency({
    database,
    journal,
    keptMs,
    atWorkMs,
    log,
  })
  const records = createRecords({ backends, collections, journal, idempotency, limits })

  return createService({
    name: NAME,
    config,
    logger: log,
    auth,
    tls,
    denied: (denial) => journal.denied(denial),
    routes: [
      ...backendRoutes(backends, collections),
      ...bulkRoutes(records, { bulkBodyBytes: config.BULK_BODY_LIMIT_BYTES }),
      ...recordRoutes(records),
      ...searchRoutes(records),
      ...auditRoutes(createAuditTrail(database, journal)),
    ],
    starting: [
      (signal) => database.start(signal),
      () => journal.start(),
      () => idempotency.start(),
      () => opened.start(collections),
    ],
    readiness: { database: () => database.check() },
    closing: [
      () => idempotency.close(),
      () => opened.close(),
      () => journal.close(),
      () => database.close(),
      () => client.close(),
    ],
  })
}

/** A key that is forgotten while its request is at work would be taken a second time. */
function keptTooShort(): ConfigError {
  const message = 'must be longer than twice REQUEST_TIMEOUT_MS'
  return new ConfigError([{ variable: 'IDEMPOTENCY_TTL_SECONDS', message }])
}
