import {
  anyOf,
  authEnv,
  createServiceAuth,
  exemptRoutes,
  open,
  service,
  serviceSecret,
  serviceSecretHashes,
  createServiceSecrets,
  signedIn,
  user,
} from '@waybill/auth'
import type { Issuer } from '@waybill/auth'
import { createService, env, route, serviceEnv } from '@waybill/service-kit'
import type { Principal, Service } from '@waybill/service-kit'
import { z } from 'zod'

export const configSchema = z.object({
  ...serviceEnv({ port: 8091 }),
  ...authEnv,
  SERVICE_SECRETS: serviceSecretHashes().describe('Static secrets of services: name to SHA-256 in hex'),
  JWT_EXEMPT_PATHS: env.list([]).describe("Paths for services in their own name, not for users' tokens"),
})

const routes = [
  route('GET', '/v1/notes', {
    auth: user('memory.read'),
    summary: 'The notes of the user',
    handle: ({ principal }) => ({ owner: principal.userId, throughServices: principal.actors }),
  }),
  route('DELETE', '/v1/notes', {
    auth: anyOf(user('memory.write'), service('docling')),
    summary: 'Forget them',
    status: 204,
    handle: () => undefined,
  }),
  route('POST', '/v1/notes/links', {
    auth: signedIn(),
    summary: 'A link that shares them; not for API keys',
    handle: ({ principal }) => ({ sharedBy: principal.userId }),
  }),
  route('POST', '/v1/imports', {
    auth: anyOf<Principal>(service('work-platform'), serviceSecret('work-platform')),
    summary: 'Notes from elsewhere',
    handle: ({ principal }) => ({ via: principal.via }),
  }),
  route('GET', '/v1/motd', {
    auth: open('it stands on the door'),
    summary: 'Message of the day',
    handle: () => ({ text: 'Hello' }),
  }),
]

/** `issuer`: createHttpClient().issuer of @waybill/http-client, in a service of the platform. */
export function createApp(config: z.output<typeof configSchema>, issuer: Issuer): Service {
  const auth = createServiceAuth({
    config,
    issuer,
    audiences: ['notes', config.PLATFORM_AUDIENCE],
    serviceSecrets: createServiceSecrets(config.SERVICE_SECRETS),
  })
  return createService({
    name: 'notes',
    config,
    auth,
    routes: exemptRoutes(routes, config.JWT_EXEMPT_PATHS),
  })
}
