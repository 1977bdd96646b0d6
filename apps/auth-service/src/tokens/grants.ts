import { delegate, DELEGATION, GrantError } from '@waybill/auth'
import type { AccessTokenClaims } from '@waybill/auth'
import { Problem } from '@waybill/service-kit'
import type { Credential } from '@waybill/service-kit'
import type { IssuedToken, Keyring } from '../keys/keyring.ts'
import type { Subjects } from './subjects.ts'

/** A service that has proved who it is. */
export interface Client {
  name: string
  /** Of the certificate that it proved it with, to which its tokens are then bound (RFC 8705). */
  thumbprint?: string | undefined
}

export interface GrantRequest {
  client: Client
  audience: string
  /** The permissions asked for; everything that can be had when absent. */
  scope?: readonly string[] | undefined
  workspaceId?: string | undefined
}

interface ExchangeRequest extends GrantRequest {
  /** The access token or the API key of whom the client acts for. */
  subject: Credential
}

export interface GrantedToken extends IssuedToken {
  /** Separated by spaces. */
  scope: string
}

interface GrantRules {
  issuer: string
  platformAudience: string
  /** What stands in `aud` for somebody outside the platform, by the name that a service asks for. */
  outsideAudiences: Readonly<Record<string, string>>
  onBehalfOfSeconds: number
  serviceTokenSeconds: number
  maxDepth: number
}

export interface Grants {
  /** A token in the client's own name (RFC 6749 section 4.4). @throws GrantError */
  clientCredentials(request: GrantRequest): Promise<GrantedToken>
  /** A token on the subject's behalf (RFC 8693). @throws GrantError; Problem unavailable */
  exchange(request: ExchangeRequest): Promise<GrantedToken>
}

export interface GrantsOptions {
  keyring: Keyring
  subjects: Subjects
  rules: GrantRules
  /** Milliseconds since the epoch. */
  now: () => number
}

export function createGrants({ keyring, subjects, rules, now }: GrantsOptions): Grants {
  const { issuer, platformAudience, outsideAudiences, maxDepth } = rules

  return {
    async clientCredentials({ client, audience, scope, workspaceId }) {
      const { name } = client
      const delegation = Object.hasOwn(DELEGATION, name) ? DELEGATION[name] : undefined
      if (!delegation || !Object.hasOwn(delegation.audiences, audience)) {
        throw new GrantError('invalid_target', `${name} may not call ${audience}.`)
      }
      if (workspaceId !== undefined && !delegation.assertsWorkspace) {
        throw new GrantError('invalid_request', `${name} may not name a workspace.`)
      }
      if (scope !== undefined && scope.length > 0) {
        throw new GrantError('invalid_scope', 'A service holds no permissions in its own name.')
      }
      const claims = {
        iss: issuer,
        aud: audience,
        sub: name,
        client_id: name,
        principal: 'service' as const,
        scope: '',
        ...(workspaceId !== undefined && { workspace_id: workspaceId }),
        ...bound(client),
      }
      return { ...(await keyring.sign({ claims, lifetimeSeconds: rules.serviceTokenSeconds })), scope: '' }
    },

    async exchange({ client, audience, scope, workspaceId, subject }) {
      // Before the subject is looked at: a token that was decided on before a revocation must not look newer than it.
      const decidedAt = now() / 1000
      const { claims, earliestIssue } = await subjects
        .ofExchange(client.name, subject, decidedAt)
        .catch(asInvalidGrant)
      const { cnf: _boundToItsBearer, ...kept } = claims
      const grant = delegate(
        {
          ...{ subject: kept, actor: client.name, audience },
          ...(scope !== undefined && { scope }),
          ...(workspaceId !== undefined && { workspaceId }),
        },
        {
          policy: DELEGATION,
          ...{ issuer, platformAudience, outsideAudiences, maxDepth },
          lifetimeSeconds: rules.onBehalfOfSeconds,
          nowSeconds: decidedAt,
        },
      )
      const issue = { ...grant, claims: { ...grant.claims, ...bound(client) } }
      return { ...(await keyring.sign(issue, { decidedAt, earliestIssue })), scope: grant.claims.scope }
    },
  }
}

function bound({ thumbprint }: Client): Pick<AccessTokenClaims, 'cnf'> {
  return thumbprint === undefined ? {} : { cnf: { 'x5t#S256': thumbprint } }
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
