import { permissionsOf } from '@waybill/auth'
import type { Client } from '../tokens/grants.ts'
import type { ServicePrincipal, UserPrincipal } from '@waybill/service-kit'

/**
 * The service itself, in what it does by itself, with the one permission that the database asks for whoever makes an
 * administrator.
 */
export const ITSELF: ServicePrincipal = {
  kind: 'service',
  service: 'auth-service',
  permissions: ['auth.admin'],
  actors: [],
  via: 'session',
}

/** The user who has proved in this very request who it is, for the audit: no token of it was sent yet. */
export function justProved(user: { id: string; email: string; role: string }): UserPrincipal {
  const { id: userId, email, role } = user
  return { kind: 'user', userId, email, role, permissions: permissionsOf(role), actors: [], via: 'session' }
}

/** The service that has proved who it is, with its secret or with its certificate. */
export function serviceClient({ name, thumbprint }: Client): ServicePrincipal {
  const via = thumbprint === undefined ? 'service-secret' : 'mtls'
  return { kind: 'service', service: name, permissions: [], actors: [], via }
}
