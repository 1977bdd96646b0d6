import { authService } from '@waybill/contracts'
import type { ServiceName } from '@waybill/contracts'
import { requestContext, REQUEST_ID_HEADER } from '@waybill/service-kit'
import type { ClientConfig } from './client-env.ts'
import { exchangeCredentials, passthroughCredentials } from './credentials.ts'
import { fromAnswer, fromWireError } from './downstream-error.ts'
import { createExternalClient } from './external-client.ts'
import type { ExternalClient } from './external-client.ts'
import { createInternalClient } from './internal-client.ts'
import type { InternalClient } from './internal-client.ts'
import { readJson } from './read-body.ts'
import { createRetryPolicy } from './retry.ts'
import { createTokenSource } from './token-source.ts'
import { createTransport } from './transport.ts'
import { WireError } from './wire-error.ts'

/** The ways out of a service: to its neighbours with the caller's identity, to the outside with none of it. */
export interface HttpClient {
  /** Calls to a neighbour at `baseUrl`; its name is the audience of the tokens it is sent. */
  internal(service: ServiceName, baseUrl: string): InternalClient
  external(options: {
    allowHeaders: readonly string[]
    allowPrivateOrigins?: readonly string[]
  }): ExternalClient
  /** The issuer's published keys (RFC 7517), for createJwks. */
  fetchJwks(): Promise<unknown>
  close(): Promise<void>
}

/** The client of one service: one pool of connections, one cache of tokens. */
export function createHttpClient({
  service,
  config,
}: {
  service: ServiceName
  config: ClientConfig
}): HttpClient {
  const transport = createTransport({ maxSockets: config.CLIENT_MAX_SOCKETS })
  const timeoutMs = config.CLIENT_TIMEOUT_MS
  const maxAnswerBytes = config.CLIENT_MAX_ANSWER_BYTES
  const authServiceUrl = config.AUTH_SERVICE_URL
  const tokens = createTokenSource({
    service,
    secret: config.SERVICE_SECRET,
    authServiceUrl,
    transport,
    timeoutMs,
    renewBeforeMs: timeoutMs,
    maxAnswerBytes,
  })
  const exchange = exchangeCredentials(tokens)
  const credentials =
    config.PROPAGATION_MODE === 'exchange'
      ? exchange
      : passthroughCredentials(config.PASSTHROUGH_HOSTS, exchange)
  const externals: ExternalClient[] = []

  return {
    internal(called, baseUrl) {
      const retry = createRetryPolicy({ retries: config.CLIENT_RETRIES })
      return createInternalClient({
        self: service,
        service: called,
        baseUrl,
        transport,
        credentials,
        retry,
        timeoutMs,
        maxAnswerBytes,
      })
    },
    external(options) {
      const client = createExternalClient({ ...options, timeoutMs, maxSockets: config.CLIENT_MAX_SOCKETS })
      externals.push(client)
      return client
    },
    async fetchJwks() {
      const call = { service: 'auth-service', method: 'GET', path: authService.JWKS_PATH }
      const requestId = requestContext()?.requestId
      const headers: Record<string, string> =
        requestId === undefined ? {} : { [REQUEST_ID_HEADER]: requestId }
      const url = authServiceUrl + authService.JWKS_PATH
      const response = await transport
        .send({ method: 'GET', url, headers, timeoutMs: Math.min(timeoutMs, 5_000) })
        .catch((error: unknown) => {
          throw error instanceof WireError ? fromWireError(error, call) : error
        })
      const body = await readJson(response, call, maxAnswerBytes)
      if (response.status !== 200) throw fromAnswer(call, { status: response.status, body })
      return body
    },
    async close() {
      transport.close()
      for (const client of externals) client.close()
      return Promise.resolve()
    },
  }
}
