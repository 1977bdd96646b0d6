import { createVerifier, delegate, DELEGATION, GrantError } from '@waybill/auth'
import type { AccessTokenClaims, Verifier } from '@waybill/auth'
import { Problem } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'
import type { IssuedToken, Keyring } from './keyring.ts'
import type { Sessions } from './sessions.ts'

export interface GrantRequest {
  /** The service that asks, which has proved who it is. */
  client: string
  audience: string
  /** The permissions asked for; everything that can be had when absent. */
  scope?: readonly string[] | undefined
  workspaceId?: string | undefined
}

interface ExchangeRequest extends GrantRequest {
  /** The access token of whom the client acts for. */
  subjectToken: Secret
}

export interface GrantedToken extends IssuedToken {
  /** Separated by spaces. */
  scope: string
}

interface GrantRules {
  issuer: string
  platformAudience: string
  onBehalfOfSeconds: number
  serviceTokenSeconds: number
  maxDepth: number
  skewSeconds: number
  maxLifetimeSeconds: number
}

export interface Grants {
  /** A token in the client's own name (RFC 6749 section 4.4). @throws GrantError */
  clientCredentials(request: GrantRequest): Promise<GrantedToken>
  /** A token on the subject's behalf (RFC 8693). @throws GrantError; Problem unavailable */
  exchange(request: ExchangeRequest): Promise<GrantedToken>
}

export interface GrantsOptions {
  keyring: Keyring
  sessions: Sessions
  rules: GrantRules
  /** Milliseconds since the epoch. */
  now: () => number
}

export function createGrants({ keyring, sessions, rules, now }: GrantsOptions): Grants {
  const { issuer, platformAudience, maxDepth } = rules

  /** One per service: a token for somebody else is no subject token, so each believes its own audience. */
  const verifiers = new Map<string, Verifier>()
  const verifierFor = (client: string): Verifier => {
    const known = verifiers.get(client)
    if (known) return known
    const verifier = createVerifier({
      keys: keyring,
      issuer,
      audiences: [client, platformAudience],
      skewSeconds: rules.skewSeconds,
      maxLifetimeSeconds: rules.maxLifetimeSeconds,
      cacheSize: 0,
      now,
    })
    verifiers.set(client, verifier)
    return verifier
  }

  const verifySubject = async (client: string, token: Secret): Promise<AccessTokenClaims> => {
    const claims = await verifierFor(client).verify(token.reveal()).catch(asInvalidGrant)
    if (claims.principal === 'user' && !(claims.sid !== undefined && (await sessions.isLive(claims.sid)))) {
      throw new GrantError('invalid_grant', 'The session of the subject token has ended.')
    }
    return claims
  }

  return {
    async clientCredentials({ client, audience, scope, workspaceId }) {
      const delegation = Object.hasOwn(DELEGATION, client) ? DELEGATION[client] : undefined
      if (!delegation || !Object.hasOwn(delegation.audiences, audience)) {
        throw new GrantError('invalid_target', `${client} may not call ${audience}.`)
      }
      if (workspaceId !== undefined && !delegation.assertsWorkspace) {
        throw new GrantError('invalid_request', `${client} may not name a workspace.`)
      }
      if (scope !== undefined && scope.length > 0) {
        throw new GrantError('invalid_scope', 'A service holds no permissions in its own name.')
      }
      const claims = {
        iss: issuer,
        aud: audience,
        sub: client,
        client_id: client,
        principal: 'service' as const,
        scope: '',
        ...(workspaceId !== undefined && { workspace_id: workspaceId }),
      }
      return { ...(await keyring.sign({ claims, lifetimeSeconds: rules.serviceTokenSeconds })), scope: '' }
    },

    async exchange({ client, audience, scope, workspaceId, subjectToken }) {
      const subject = await verifySubject(client, subjectToken)
      const grant = delegate(
        {
          ...{ subject, actor: client, audience },
          ...(scope !== undefined && { scope }),
          ...(workspaceId !== undefined && { workspaceId }),
        },
        {
          policy: DELEGATION,
          ...{ issuer, platformAudience, maxDepth },
          lifetimeSeconds: rules.onBehalfOfSeconds,
          nowSeconds: now() / 1000,
        },
      )
      return { ...(await keyring.sign(grant)), scope: grant.claims.scope }
    },
  }
}

/**
 * RFC 8693 section 2.2.2 would have `invalid_request`; `invalid_grant` tells the service that the user's credential is
 * at fault and not its own request, so that the user is answered 401.
 */
function asInvalidGrant(error: unknown): never {
  if (error instanceof Problem && error.code === 'invalid_token') {
    throw new GrantError('invalid_grant', error.message)
  }
  throw error
}
