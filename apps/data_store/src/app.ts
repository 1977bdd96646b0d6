import { createServiceAuth } from '@waybill/auth'
import type { Issuer } from '@waybill/auth'
import { openDatabase } from '@waybill/database'
import { createHttpClient } from '@waybill/http-client'
import { createLogger, createService, openTls } from '@waybill/service-kit'
import type { Logger, Service } from '@waybill/service-kit'
import { createAuditTrail } from './audit-trail.ts'
import type { Backends } from './backend.ts'
import { createLanceBackend } from './backends/lancedb.ts'
import { createLanceTables } from './backends/lance-tables.ts'
import { createPostgresBackend } from './backends/postgres.ts'
import { createVectorCollections } from './backends/vector-collections.ts'
import type { Config } from './config.ts'
import { createJournal } from './journal.ts'
import { createRecords } from './records.ts'
import { auditRoutes } from './routes/audit.ts'
import { backendRoutes } from './routes/backends.ts'
import { recordRoutes } from './routes/records.ts'
import { searchRoutes } from './routes/search.ts'
import type { Tables } from './tables.ts'

export interface Dependencies {
  issuer: Issuer
  log: Logger
}

const NAME = 'data_store'

/** The service, from its configuration: records of users in Postgres and LanceDB behind one API. */
export function createApp(config: Config, overrides: Partial<Dependencies> = {}): Service {
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
  const lance = config.LANCEDB_PATH === '' ? undefined : lanceTables(config, log)
  const collections = createVectorCollections(database)
  const maxDimensions = config.VECTOR_MAX_DIMENSIONS
  const backends: Backends = new Map([
    ['postgres', createPostgresBackend(database)],
    ['lancedb', lance && createLanceBackend({ tables: lance, collections, maxDimensions })],
  ])
  const limits = {
    maxBytes: config.RECORD_MAX_BYTES,
    maxDepth: config.RECORD_MAX_DEPTH,
    maxRecords: config.BULK_MAX_RECORDS,
    requireIfMatch: config.REQUIRE_IF_MATCH_COLLECTIONS,
  }
  const records = createRecords(backends, createJournal(database, log), limits)

  return createService({
    name: NAME,
    config,
    logger: log,
    auth,
    tls,
    routes: [
      ...backendRoutes(backends),
      ...recordRoutes(records, { bulkBodyBytes: config.BULK_BODY_LIMIT_BYTES }),
      ...searchRoutes(records),
      ...auditRoutes(createAuditTrail(database)),
    ],
    starting: [(signal) => database.start(signal), async () => lance?.start()],
    readiness: { database: () => database.check() },
    closing: [async () => lance?.close(), () => database.close(), () => client.close()],
  })
}

function lanceTables(config: Config, log: Logger) {
  return createLanceTables({ path: config.LANCEDB_PATH, maintenanceMs: config.LANCEDB_MAINTENANCE_MS, log })
}
