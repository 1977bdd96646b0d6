import type { Issuer } from '@waybill/auth'
import type { ServiceName } from '@waybill/contracts'
import type { Secret, Tls } from '@waybill/service-kit'
import type { ClientConfig } from './client-env.ts'
import { exchangeCredentials, passthroughCredentials, secretCredentials } from './credentials.ts'
import { createExternalClient } from './external-client.ts'
import type { ExternalClient } from './external-client.ts'
import { createInternalClient } from './internal-client.ts'
import type { InternalClient } from './internal-client.ts'
import { createIssuer } from './issuer.ts'
import { createOnBehalfOf } from './on-behalf-of.ts'
import type { OnBehalfOf } from './on-behalf-of.ts'
import { createOAuthCall } from './oauth-call.ts'
import { createRetryPolicy } from './retry.ts'
import { createTokenSource } from './token-source.ts'
import { createTransport } from './transport.ts'
import type { Transport } from './transport.ts'

/** The ways out of a service: to its neighbours with the caller's identity, to the outside with none of it. */
export interface HttpClient {
  /**
   * Calls to a neighbour at `baseUrl`; its name is the audience of the tokens it is sent. With `staticSecret` it is sent
   * that instead of tokens, and told of no user. With `pool` it has connections of its own, so that answers which take long
   * keep no other call waiting.
   */
  internal(
    service: ServiceName,
    baseUrl: string,
    options?: { staticSecret?: Secret | undefined; pool?: Pool },
  ): InternalClient
  /** Calls to the outside; for a backend of this service, `backend` is its name (see createExternalClient). */
  external(options: {
    allowHeaders: readonly string[]
    allowPrivateOrigins?: readonly string[]
    backend?: string
    /** To each host; CLIENT_MAX_SOCKETS unless said. */
    maxSockets?: number
  }): ExternalClient
  /** Tokens for an audience outside the platform, on behalf of the user whose request is being served. */
  onBehalfOf(audience: string): OnBehalfOf
  /** auth-service as the issuer of what this service is sent; for createServiceAuth. */
  issuer: Issuer
  close(): Promise<void>
}

export interface Pool {
  maxSockets: number
  /** How long a call may wait for a connection, in milliseconds: 503 after that. */
  connectTimeoutMs: number
}

/** The client of one service: one pool of connections, one cache of tokens. */
export function createHttpClient({
  service,
  config,
  tls,
}: {
  service: ServiceName
  config: ClientConfig
  /** What openTls gave: with a CA, https goes only to who proves by certificate to be the service that is called. */
  tls?: Tls | undefined
}): HttpClient {
  const transports: Transport[] = []
  const transportOf = (called: ServiceName, maxSockets: number): Transport => {
    const mutualTls = tls?.current().authorities === undefined ? undefined : { tls, service: called }
    const made = createTransport({ maxSockets, mutualTls })
    transports.push(made)
    return made
  }
  const usual = new Map<ServiceName, Transport>()
  const transportTo = (called: ServiceName): Transport => {
    const transport = usual.get(called) ?? transportOf(called, config.CLIENT_MAX_SOCKETS)
    usual.set(called, transport)
    return transport
  }
  const timeoutMs = config.CLIENT_TIMEOUT_MS
  const maxAnswerBytes = config.CLIENT_MAX_ANSWER_BYTES
  const oauth = createOAuthCall({
    ...{ service, maxAnswerBytes },
    transport: transportTo('auth-service'),
    secret: config.SERVICE_SECRET,
    authServiceUrl: config.AUTH_SERVICE_URL,
  })
  const tokens = createTokenSource({ oauth, timeoutMs, renewBeforeMs: timeoutMs })
  const exchange = exchangeCredentials(tokens)
  const credentials =
    config.PROPAGATION_MODE === 'exchange'
      ? exchange
      : passthroughCredentials(config.PASSTHROUGH_HOSTS, exchange)
  const externals: ExternalClient[] = []

  return {
    internal(called, baseUrl, { staticSecret, pool } = {}) {
      const retry = createRetryPolicy({ retries: config.CLIENT_RETRIES })
      return createInternalClient({
        self: service,
        service: called,
        baseUrl,
        transport: pool ? transportOf(called, pool.maxSockets) : transportTo(called),
        connectTimeoutMs: pool?.connectTimeoutMs,
        credentials: staticSecret ? secretCredentials(staticSecret) : credentials,
        retry,
        timeoutMs,
        maxAnswerBytes,
      })
    },
    external(options) {
      const client = createExternalClient({
        maxSockets: config.CLIENT_MAX_SOCKETS,
        ...options,
        ...{ timeoutMs, maxAnswerBytes },
      })
      externals.push(client)
      return client
    },
    onBehalfOf: (audience) => createOnBehalfOf(tokens, audience, { timeoutMs }),
    issuer: createIssuer(oauth, { timeoutMs }),
    async close() {
      for (const transport of transports) transport.close()
      for (const client of externals) client.close()
      return Promise.resolve()
    },
  }
}
