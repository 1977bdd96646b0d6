import { availableParallelism } from 'node:os'
import { createServiceAuth } from '@waybill/auth'
import { openDatabase } from '@waybill/database'
import { createLogger, createService } from '@waybill/service-kit'
import type { Logger, Service } from '@waybill/service-kit'
import { userToken } from './access-tokens.ts'
import { createAccounts } from './accounts.ts'
import { auditedGrants } from './audited-grants.ts'
import { withLiveSession } from './authenticate.ts'
import type { Config } from './config.ts'
import { createGrants } from './grants.ts'
import { createKeyring } from './keyring.ts'
import { createLimits } from './limits.ts'
import { createPasswords } from './passwords.ts'
import { createRefreshTokens } from './refresh-token.ts'
import { accountRoutes } from './routes/accounts.ts'
import { keyRoutes } from './routes/keys.ts'
import { sessionRoutes } from './routes/sessions.ts'
import { tokenRoutes } from './routes/token.ts'
import { createSemaphore } from './semaphore.ts'
import { createServiceClients } from './service-clients.ts'
import { createSessions } from './sessions.ts'
import type { Schema } from './store/schema.ts'

const NAME = 'auth-service'
const HOUR_SECONDS = 3600

export interface Dependencies {
  logger: Logger
  /** Milliseconds since the epoch, for the times in tokens; sessions are judged by the database's clock. */
  now: () => number
}

/** The issuer: whoever else verifies its tokens fetches its keys, and it alone has them at hand. */
export function createApp(config: Config, overrides: Partial<Dependencies> = {}): Service {
  const { logger: log = createLogger({ service: NAME, level: config.LOG_LEVEL }), now = Date.now } = overrides
  const { AUTH_ISSUER: issuer, PLATFORM_AUDIENCE: platformAudience } = config
  const encryptionKey = config.SIGNING_KEY_ENCRYPTION_KEY

  const migrations = new URL('../migrations/', import.meta.url)
  const database = openDatabase<Schema>({ config, migrations, log, service: NAME })
  const keyring = createKeyring({ database, encryptionKey, now })
  const sessions = createSessions({
    database,
    refreshTokens: createRefreshTokens(encryptionKey),
    lifetimeDays: config.REFRESH_TOKEN_EXPIRATION_DAYS,
    graceSeconds: config.REFRESH_GRACE_SECONDS,
  })
  const hashing = createSemaphore({
    permits: config.PASSWORD_HASH_CONCURRENCY || availableParallelism(),
    queue: config.PASSWORD_HASH_QUEUE,
    what: 'The checking of passwords',
  })
  const limits = createLimits({
    loginsPerMinute: config.LOGIN_LIMIT_PER_MINUTE,
    loginsPerMinuteAndAddress: config.LOGIN_ADDRESS_LIMIT_PER_MINUTE || 4 * config.LOGIN_LIMIT_PER_MINUTE,
    registrationsPerHour: config.REGISTRATION_LIMIT_PER_HOUR,
  })
  const accounts = createAccounts({ database, passwords: createPasswords(hashing), sessions, limits })
  const grants = createGrants({
    ...{ keyring, sessions, now },
    rules: {
      ...{ issuer, platformAudience },
      onBehalfOfSeconds: config.ON_BEHALF_OF_SECONDS,
      serviceTokenSeconds: config.SERVICE_TOKEN_SECONDS,
      maxDepth: config.DELEGATION_MAX_DEPTH,
      skewSeconds: config.CLOCK_SKEW_SECONDS,
      maxLifetimeSeconds: config.MAX_TOKEN_LIFETIME_SECONDS,
    },
  })
  const audiences = [NAME, platformAudience]
  const { authenticate } = createServiceAuth({ config, keys: keyring, audiences, now })
  const forUsers = {
    ...{ keyring, issuer, now },
    audience: platformAudience,
    lifetimeSeconds: Math.max(1, Math.round(config.JWT_EXPIRATION_HOURS * HOUR_SECONDS)),
  }

  return createService({
    name: NAME,
    config,
    logger: log,
    authenticate: withLiveSession(authenticate, sessions),
    routes: [
      ...accountRoutes({ accounts, limits }),
      ...sessionRoutes({
        ...{ accounts, sessions, limits },
        accessTokenFor: (session) => userToken(session, forUsers),
      }),
      ...tokenRoutes({
        clients: createServiceClients(config.SERVICE_CLIENTS),
        grants: auditedGrants(grants, database),
      }),
      ...keyRoutes({ keyring, maxAgeSeconds: config.JWKS_MAX_AGE_SECONDS }),
    ],
    starting: [(signal) => database.start(signal), () => keyring.load()],
    readiness: { database: () => database.check() },
    closing: [() => database.close()],
  })
}
