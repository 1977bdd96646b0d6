/** How a caller proved who it is. */
export type Via = 'jwt' | 'api-key' | 'session' | 'mtls' | 'service-jwt' | 'service-secret'

interface Identity {
  permissions: readonly string[]
  tenantId?: string
  workspaceId?: string
  /** The services that act on the subject's behalf, nearest first: at data_store ['llm-proxy', 'docling', 'gateway']. */
  actors: readonly string[]
  via: Via
}

/** A person, calling directly or through the services in `actors`. */
export interface UserPrincipal extends Identity {
  kind: 'user'
  userId: string
  email?: string
  role: string
  sessionId?: string
  /** The API key that the user came with, here or at the first service; absent when it logged in. */
  apiKeyId?: string
  /** How much the user may ask for, `free` where nothing is said. */
  tier?: string
}

/** A service that calls in its own name, with nobody behind it. */
export interface ServicePrincipal extends Identity {
  kind: 'service'
  service: string
}

/** Who a request is from and on whose behalf: the one answer that every kind of credential is turned into. */
export type Principal = UserPrincipal | ServicePrincipal

/** `user:<id>` or `service:<name>`, as written to spans, logs and audit rows. */
export function subjectOf(principal: Principal): string {
  return principal.kind === 'user' ? `user:${principal.userId}` : `service:${principal.service}`
}

/** The service that sent the request itself; undefined when a user called with nothing in between. */
export function callingService(principal: Principal): string | undefined {
  return principal.actors[0] ?? (principal.kind === 'service' ? principal.service : undefined)
}
