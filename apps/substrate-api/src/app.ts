import { anyOf, createServiceAuth, exemptRoutes, service, serviceSecret } from '@waybill/auth'
import type { Issuer } from '@waybill/auth'
import { createGrpcServer } from '@waybill/auth/grpc'
import type { Rpc } from '@waybill/auth/grpc'
import { openDatabase } from '@waybill/database'
import { createHttpClient } from '@waybill/http-client'
import { createLogger, createService, openTls } from '@waybill/service-kit'
import type { Guard, Logger, Principal, Service } from '@waybill/service-kit'
import { createBaskets } from './baskets.ts'
import type { Config } from './config.ts'
import { createDumps } from './dumps.ts'
import { basketMethods } from './grpc/baskets.ts'
import { basketService } from './grpc/definition.ts'
import { grpcEndpoint } from './grpc/endpoint.ts'
import type { GrpcEndpoint } from './grpc/endpoint.ts'
import { basketRoutes } from './routes/baskets.ts'
import { dumpRoutes } from './routes/dumps.ts'
import { serviceSecretsOf } from './service-secrets.ts'
import type { Tables } from './tables.ts'

export interface Dependencies {
  issuer: Issuer
  logger: Logger
  /** Milliseconds since the epoch. */
  now: () => number
}

/** The service, and where it speaks gRPC. */
export interface SubstrateApi extends Service {
  grpc: Pick<GrpcEndpoint, 'address'>
  /** The methods of gRPC, as `routes` are those of HTTP. */
  methods: readonly Rpc[]
}

const NAME = 'substrate-api'

/** The service, from its configuration: baskets and raw dumps of one workspace at a time, for work-platform only. */
export function createApp(config: Config, overrides: Partial<Dependencies> = {}): SubstrateApi {
  const log = overrides.logger ?? createLogger({ service: NAME, level: config.LOG_LEVEL })
  const { now = Date.now } = overrides
  const tls = openTls({ service: NAME, config, logger: log })
  const http = createHttpClient({ service: NAME, config, tls })
  const serviceSecrets = serviceSecretsOf(config, { now })
  // A token that a person logged in with is for the platform at large, and is not accepted here.
  const auth = createServiceAuth({
    config,
    issuer: overrides.issuer ?? http.issuer,
    audiences: [NAME],
    tls,
    ...{ serviceSecrets, log, now },
  })
  const migrations = new URL('../migrations/', import.meta.url)
  const database = openDatabase<Tables>({ config, migrations, log, service: NAME })
  const limits = { maxBytes: config.METADATA_MAX_BYTES, maxDepth: config.METADATA_MAX_DEPTH }
  const baskets = createBaskets(database, limits)

  const workPlatform = service('work-platform')
  const guard: Guard<Principal> = serviceSecrets
    ? anyOf<Principal>(workPlatform, serviceSecret('work-platform'))
    : workPlatform
  const routes = [
    ...basketRoutes(baskets, { auth: guard }),
    ...dumpRoutes(createDumps(database), { auth: guard, bodyLimitBytes: config.DUMP_BODY_LIMIT_BYTES }),
  ]
  const methods = basketMethods(baskets)
  const grpc = grpcEndpoint(
    createGrpcServer({
      definition: basketService(),
      methods,
      credentials: auth.credentials,
      config: { ...config, TLS_CLIENT_AUTH: grpcClientAuth(config) },
      ...{ log, tls, peers: auth.peers },
    }),
    { host: config.GRPC_HOST, port: config.GRPC_PORT, log },
  )

  const api = createService({
    name: NAME,
    config,
    logger: log,
    auth,
    routes: exemptRoutes(routes, config.JWT_EXEMPT_PATHS),
    tls,
    starting: [(signal) => database.start(signal), (signal) => grpc.start(signal)],
    readiness: { database: () => database.check() },
    closing: [() => grpc.close(), () => http.close(), () => database.close()],
  })
  return { ...api, grpc, methods }
}

function grpcClientAuth({ GRPC_TLS_CLIENT_AUTH: own, TLS_CLIENT_AUTH }: Config): Config['TLS_CLIENT_AUTH'] {
  return own === 'inherit' ? TLS_CLIENT_AUTH : own
}
