import { open, PERMISSIONS } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { reply, route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'

const METHODS = ['client_secret_basic', 'client_secret_post', 'tls_client_auth']

export interface MetadataRooms {
  issuer: string
  /** Where clients reach this service. */
  publicUrl: string
  maxAgeSeconds: number
}

/** RFC 8414: what a client would otherwise be configured with. */
export function metadataRoutes({ issuer, publicUrl, maxAgeSeconds }: MetadataRooms): Route[] {
  const document = {
    issuer,
    token_endpoint: publicUrl + authService.TOKEN_PATH,
    jwks_uri: publicUrl + authService.JWKS_PATH,
    introspection_endpoint: publicUrl + authService.INTROSPECT_PATH,
    revocation_endpoint: publicUrl + authService.REVOKE_PATH,
    scopes_supported: Object.keys(PERMISSIONS),
    // There is no authorization endpoint, so there is nothing that it could answer.
    response_types_supported: [],
    grant_types_supported: ['client_credentials', authService.GRANT_TOKEN_EXCHANGE],
    token_endpoint_auth_methods_supported: METHODS,
    introspection_endpoint_auth_methods_supported: METHODS,
    revocation_endpoint_auth_methods_supported: METHODS,
    tls_client_certificate_bound_access_tokens: true,
    service_documentation: `${publicUrl}/docs`,
  }
  return [
    route(authService.metadata, {
      auth: open('it tells how to authenticate'),
      handle: () => reply(200, document, { 'Cache-Control': `public, max-age=${maxAgeSeconds}` }),
    }),
  ]
}
