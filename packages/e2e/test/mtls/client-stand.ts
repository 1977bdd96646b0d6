import { open, service } from '@waybill/auth'
import { authService, endpoint } from '@waybill/contracts'
import type { ServiceName } from '@waybill/contracts'
import { clientEnv, createHttpClient } from '@waybill/http-client'
import type { HttpClient } from '@waybill/http-client'
import { createTestIssuer } from '@waybill/dev-env/testing'
import { callingService, createLogger, openTls, route, serviceEnv } from '@waybill/service-kit'
import type { Tls } from '@waybill/service-kit'
import { z } from 'zod'
import { mtlsStand, tlsVariables } from './stand.ts'
import type { CertificateFolder, MtlsStand, StandOptions } from './stand.ts'

const output = z.object({ who: z.string(), via: z.string() })

/** A question that any service of the test answers. */
export const who = endpoint({
  service: 'data_store',
  method: 'GET',
  path: '/who',
  summary: 'Who calls',
  output,
})

export interface ClientStand extends AsyncDisposable {
  http: HttpClient
  tls: Tls
  auth: MtlsStand
  /** Starts a service that believes the tokens of `auth`, by mutual TLS only. */
  neighbour(options: StandOptions & { name: ServiceName }): Promise<MtlsStand>
}

/** The client of the gateway, and an auth-service that it gets tokens from; both speak mutual TLS only. */
export async function clientStand(folder: CertificateFolder): Promise<ClientStand> {
  const issuer = await createTestIssuer()
  const variables = { TLS_CLIENT_AUTH: 'required' }
  const auth = await mtlsStand(folder, {
    ...{ name: 'auth-service', variables, issuer },
    routes: [
      route('POST', authService.TOKEN_PATH, {
        summary: 'A token',
        auth: open('a test'),
        handle: async () => ({
          access_token: await issuer.serviceToken('gateway', { audience: 'data_store' }),
          ...{ token_type: 'Bearer', expires_in: 300, scope: '' },
        }),
      }),
    ],
  })
  const schema = z.object({ ...serviceEnv({ port: 0 }), ...clientEnv })
  const config = schema.parse({
    ...tlsVariables(folder, 'gateway'),
    TLS_RELOAD_INTERVAL_MS: '50',
    AUTH_SERVICE_URL: auth.url,
    SERVICE_SECRET: 'secret',
    // A failed request shall be seen, not mended.
    CLIENT_RETRIES: '0',
  })
  const logger = createLogger({ service: 'gateway', level: 'silent' })
  const tls = openTls({ service: 'gateway', config, logger })!
  const http = createHttpClient({ service: 'gateway', config, tls })
  return {
    ...{ http, tls, auth },
    neighbour: (options) =>
      mtlsStand(folder, {
        ...options,
        variables: { ...variables, ...options.variables },
        issuer,
        routes: [
          route('GET', '/who', {
            summary: 'Who calls',
            auth: service('gateway'),
            output,
            handle: ({ principal }) => ({ who: callingService(principal) ?? '', via: principal.via }),
          }),
        ],
      }),
    async [Symbol.asyncDispose]() {
      await http.close()
      tls.close()
      await auth[Symbol.asyncDispose]()
    },
  }
}
