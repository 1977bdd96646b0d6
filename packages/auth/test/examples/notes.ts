import { anyOf, authEnv, createJwks, createServiceAuth, open, service, user } from '@waybill/auth'
import type { KeySource } from '@waybill/auth'
import { createService, route, serviceEnv } from '@waybill/service-kit'
import type { Service } from '@waybill/service-kit'
import { z } from 'zod'

export const configSchema = z.object({ ...serviceEnv({ port: 8091 }), ...authEnv })

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
  route('GET', '/v1/motd', {
    auth: open('it stands on the door'),
    summary: 'Message of the day',
    handle: () => ({ text: 'Hello' }),
  }),
]

export function createApp(
  config: z.output<typeof configSchema>,
  // createHttpClient().fetchJwks() of @waybill/http-client, in a service of the platform
  keys: KeySource = createJwks(() =>
    fetch('https://issuer.example/jwks.json').then((answer) => answer.json()),
  ),
): Service {
  const { authenticate } = createServiceAuth({ config, keys, audiences: ['notes', config.PLATFORM_AUDIENCE] })
  return createService({ name: 'notes', config, authenticate, routes })
}
