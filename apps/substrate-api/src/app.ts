import { createJwks, createServiceAuth } from '@waybill/auth'
import type { KeySource } from '@waybill/auth'
import { openDatabase } from '@waybill/database'
import { createHttpClient } from '@waybill/http-client'
import { createLogger, createService } from '@waybill/service-kit'
import type { Logger, Service } from '@waybill/service-kit'
import { createBaskets } from './baskets.ts'
import type { Config } from './config.ts'
import { createDumps } from './dumps.ts'
import { basketRoutes } from './routes/baskets.ts'
import { dumpRoutes } from './routes/dumps.ts'
import type { Tables } from './tables.ts'

export interface Dependencies {
  keys: KeySource
  logger: Logger
}

const NAME = 'substrate-api'

/** The service, from its configuration: baskets and raw dumps of one workspace at a time, for work-platform only. */
export function createApp(config: Config, overrides: Partial<Dependencies> = {}): Service {
  const log = overrides.logger ?? createLogger({ service: NAME, level: config.LOG_LEVEL })
  const http = createHttpClient({ service: NAME, config })
  const keys = overrides.keys ?? createJwks(() => http.fetchJwks())
  // A token that a person logged in with is for the platform at large, and is not accepted here.
  const { authenticate } = createServiceAuth({ config, keys, audiences: [NAME] })
  const migrations = new URL('../migrations/', import.meta.url)
  const database = openDatabase<Tables>({ config, migrations, log, service: NAME })
  const limits = { maxBytes: config.METADATA_MAX_BYTES, maxDepth: config.METADATA_MAX_DEPTH }

  return createService({
    name: NAME,
    config,
    logger: log,
    authenticate,
    routes: [
      ...basketRoutes(createBaskets(database, limits)),
      ...dumpRoutes(createDumps(database), { bodyLimitBytes: config.DUMP_BODY_LIMIT_BYTES }),
    ],
    starting: [(signal) => database.start(signal)],
    readiness: { database: () => database.check() },
    closing: [() => http.close(), () => database.close()],
  })
}
