import type { Principal } from '@waybill/service-kit'
import { actorsOf, scopesOf } from '../token/claims.ts'
import type { AccessTokenClaims } from '../token/claims.ts'

/** The one Principal that the claims of an access token stand for. */
export function principalOf(claims: AccessTokenClaims): Principal {
  const identity = {
    permissions: scopesOf(claims),
    actors: actorsOf(claims.act),
    ...(claims.tenant_id !== undefined && { tenantId: claims.tenant_id }),
    ...(claims.workspace_id !== undefined && { workspaceId: claims.workspace_id }),
  }
  if (claims.principal === 'service') {
    return { kind: 'service', service: claims.sub, ...identity, via: 'service-jwt' }
  }
  return {
    kind: 'user',
    userId: claims.sub,
    role: claims.role ?? 'user',
    ...identity,
    ...(claims.email !== undefined && { email: claims.email }),
    ...(claims.tier !== undefined && { tier: claims.tier }),
    // One that came with an API key has no session, whatever the token says: it may not manage credentials.
    ...(claims.key_id !== undefined && { apiKeyId: claims.key_id }),
    ...(claims.sid !== undefined && claims.key_id === undefined && { sessionId: claims.sid }),
    via: claims.key_id === undefined ? 'jwt' : 'api-key',
  }
}
