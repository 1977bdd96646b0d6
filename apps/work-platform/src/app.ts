import { createServiceAuth } from '@waybill/auth'
import type { Issuer } from '@waybill/auth'
import { openDatabase } from '@waybill/database'
import { createHttpClient } from '@waybill/http-client'
import { ConfigError, createLogger, createService, openTls } from '@waybill/service-kit'
import type { Logger, Secret, Service } from '@waybill/service-kit'
import { createBasketsClient } from './clients.ts'
import type { Config } from './config.ts'
import { createMembers } from './members.ts'
import { createProjectCreation, FINISHING_MS } from './project-creation.ts'
import { createProjects } from './projects.ts'
import { createReconciler } from './reconciler.ts'
import { memberRoutes } from './routes/members.ts'
import { projectRoutes } from './routes/projects.ts'
import { workspaceRoutes } from './routes/workspaces.ts'
import type { Tables } from './tables.ts'
import { createWorkspaces } from './workspaces.ts'

export interface Dependencies {
  issuer: Issuer
  logger: Logger
}

const NAME = 'work-platform'

/** The service, from its configuration: who belongs to which workspace, and the projects in them. */
export function createApp(config: Config, overrides: Partial<Dependencies> = {}): Service {
  const log = overrides.logger ?? createLogger({ service: NAME, level: config.LOG_LEVEL })
  const tls = openTls({ service: NAME, config, logger: log })
  const http = createHttpClient({ service: NAME, config, tls })
  const auth = createServiceAuth({
    config,
    issuer: overrides.issuer ?? http.issuer,
    audiences: [NAME, config.PLATFORM_AUDIENCE],
    tls,
    log,
  })
  const migrations = new URL('../migrations/', import.meta.url)
  const database = openDatabase<Tables>({ config, migrations, log, service: NAME })
  const staticSecret = substrateSecret(config)
  const baskets = createBasketsClient({
    substrate: http.internal('substrate-api', config.SUBSTRATE_API_URL, { staticSecret }),
    detailsTimeoutMs: config.BASKET_DETAILS_TIMEOUT_MS,
    tellWorkspace: staticSecret ? 'in-message' : 'in-token',
  })
  const reconciler = createReconciler({
    database,
    baskets,
    log,
    intervalMs: config.RECONCILE_INTERVAL_MS,
    // No request that is still at work may be taken for one that was interrupted.
    interruptedAfterMs: Math.max(config.RECONCILE_AFTER_MS, 2 * (config.REQUEST_TIMEOUT_MS + FINISHING_MS)),
    keysKeptMs: config.IDEMPOTENCY_TTL_HOURS * 3_600_000,
  })

  return createService({
    name: NAME,
    config,
    logger: log,
    auth,
    tls,
    routes: [
      ...workspaceRoutes(createWorkspaces(database)),
      ...memberRoutes(createMembers({ database, maxMembers: config.WORKSPACE_MEMBERS_MAX })),
      ...projectRoutes(
        createProjects({ database, baskets }),
        createProjectCreation({ database, baskets, log }),
      ),
    ],
    starting: [
      (signal) => database.start(signal),
      () => {
        reconciler.start()
        return Promise.resolve()
      },
    ],
    readiness: { database: () => database.check() },
    closing: [() => reconciler.close(), () => http.close(), () => database.close()],
  })
}

/** What substrate-api knows this service by; undefined when it is sent tokens. @throws ConfigError */
function substrateSecret({ SUBSTRATE_AUTH, SUBSTRATE_SERVICE_SECRET: secret }: Config): Secret | undefined {
  if (SUBSTRATE_AUTH === 'exchange') return undefined
  if (secret || SUBSTRATE_AUTH === 'auto') return secret
  const message = 'is required when SUBSTRATE_AUTH is service-secret'
  throw new ConfigError([{ variable: 'SUBSTRATE_SERVICE_SECRET', message }])
}
