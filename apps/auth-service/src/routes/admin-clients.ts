import { signedIn } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { ClientRegistry, NewSecret } from '../clients/client-registry.ts'
import type { LiveSecret } from '../store/service-clients.ts'

export function adminClientRoutes({ registry }: { registry: ClientRegistry }): Route[] {
  const auth = signedIn('auth.admin')
  return [
    route(authService.listServiceClients, {
      auth,
      handle: async () => ({
        service_clients: (await registry.list()).map(({ disabledAt, secrets, ...client }) => ({
          ...client,
          disabled_at: disabledAt?.toISOString() ?? null,
          secrets: secrets.map(told),
        })),
      }),
    }),

    route(authService.createServiceClient, {
      auth,
      problems: ['conflict'],
      handle: async ({ body }) => toldOnce(await registry.create(body.name, body.expires_in_days)),
    }),

    route(authService.addClientSecret, {
      auth,
      problems: ['not_found', 'conflict'],
      handle: async ({ params, body }) =>
        toldOnce(await registry.addSecret(params.name, body.expires_in_days)),
    }),

    route(authService.revokeClientSecret, {
      auth,
      problems: ['not_found', 'conflict'],
      async handle({ params }) {
        await registry.revokeSecret(params.name, params.secret_id)
        return undefined
      },
    }),

    route(authService.disableServiceClient, {
      auth,
      problems: ['not_found', 'conflict'],
      async handle({ params }) {
        await registry.disable(params.name)
        return undefined
      },
    }),
  ]
}

function told({ id, createdAt, expiresAt }: LiveSecret) {
  return {
    secret_id: id,
    created_at: createdAt.toISOString(),
    expires_at: expiresAt?.toISOString() ?? null,
  }
}

function toldOnce(made: NewSecret) {
  return { ...told(made), name: made.client, secret: made.secret.reveal() }
}
