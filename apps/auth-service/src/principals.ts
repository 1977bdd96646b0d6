import { permissionsOf } from '@waybill/auth'
import type { ServicePrincipal, UserPrincipal } from '@waybill/service-kit'

/** The user who has proved in this very request who it is, for the audit: no token of it was sent yet. */
export function justProved(user: { id: string; email: string; role: string }): UserPrincipal {
  const { id: userId, email, role } = user
  return { kind: 'user', userId, email, role, permissions: permissionsOf(role), actors: [], via: 'session' }
}

/** The service that has proved with its secret who it is. */
export function serviceClient(service: string): ServicePrincipal {
  return { kind: 'service', service, permissions: [], actors: [], via: 'service-secret' }
}
