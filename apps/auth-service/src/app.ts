import type { IncomingMessage } from 'node:http'
import { createServiceAuth, presentedIn } from '@waybill/auth'
import { openDatabase } from '@waybill/database'
import { createLogger, createService, openTls } from '@waybill/service-kit'
import type { Logger, Service } from '@waybill/service-kit'
import { withLiveSession } from './sessions/authenticate.ts'
import { createClientRefusals } from './clients/client-refusals.ts'
import type { Config } from './config.ts'
import { createIssuing } from './tokens/issuing.ts'
import { createPeople } from './people/people.ts'
import { createRefreshTokens } from './sessions/refresh-token.ts'
import { createRevocations } from './revocations/revocations.ts'
import { issuingRoutes } from './routes/issuing.ts'
import { peopleRoutes } from './routes/people.ts'
import type { Schema } from './store/schema.ts'

const NAME = 'auth-service'

export interface Dependencies {
  logger: Logger
  /** Milliseconds since the epoch, for the times in tokens; sessions are judged by the database's clock. */
  now: () => number
}

/** The issuer: whoever else verifies its tokens fetches its keys, and it alone has them at hand. */
export function createApp(config: Config, overrides: Partial<Dependencies> = {}): Service {
  const { logger: log = createLogger({ service: NAME, level: config.LOG_LEVEL }), now = Date.now } = overrides
  const encryptionKey = config.SIGNING_KEY_ENCRYPTION_KEY

  const migrations = new URL('../migrations/', import.meta.url)
  const database = openDatabase<Schema>({ config, migrations, log, service: NAME })
  const revocations = createRevocations({
    ...{ database, log, now },
    lifetimeSeconds: config.MAX_TOKEN_LIFETIME_SECONDS + config.CLOCK_SKEW_SECONDS,
    skewSeconds: config.CLOCK_SKEW_SECONDS,
  })
  const refreshTokens = createRefreshTokens(encryptionKey)
  const people = createPeople({ config, database, refreshTokens, revocations, log, now })
  const tls = openTls({ service: NAME, config, logger: log })
  const issuing = createIssuing({
    ...{ name: NAME, config, database, refreshTokens, revocations, log, now },
    resolveKey: people.resolveKey,
  })
  const { keyring, issuer } = issuing
  const auth = createServiceAuth({
    ...{ config, issuer, log, now, tls, keys: keyring },
    audiences: [NAME, config.PLATFORM_AUDIENCE],
  })
  const noteRefused = createClientRefusals({
    ...{ database, clients: issuing.clients, limits: people.rooms.limits },
  })
  const peerOf = ({ socket }: IncomingMessage) => auth.peers.peerOf(socket)
  const authenticate = withLiveSession(auth.authenticate, people.rooms.sessions)
  const authenticateStranger = withLiveSession(
    (req) => auth.credentials.verify({ ...presentedIn(req.rawHeaders), identity: {} }),
    people.rooms.sessions,
  )

  return createService({
    name: NAME,
    config,
    logger: log,
    auth: { ...auth, authenticate },
    throttle: people.throttle,
    denied: people.denied,
    tls,
    routes: [
      ...peopleRoutes(people.rooms, issuing.accessTokenFor),
      ...issuingRoutes({ ...{ issuing, config, peerOf, noteRefused }, authenticate: authenticateStranger }),
    ],
    starting: [
      (signal) => database.start(signal),
      (signal) => keyring.start(signal),
      (signal) => revocations.start(signal),
      ...people.starting,
    ],
    readiness: { database: () => database.check() },
    closing: [() => people.close(), () => revocations.close(), () => keyring.close(), () => database.close()],
  })
}
