import { actorsOf, audiencesOf, scopesOf } from '../token/claims.ts'
import type { AccessTokenClaims } from '../token/claims.ts'
import type { TokenGrant } from '../token/issue.ts'
import { intersectPermissions } from '../principal/permissions.ts'

/** What one service may ask for when it acts for somebody. */
export interface Delegation {
  /** The services it may call, each with the most that a token for it may allow. */
  audiences: Record<string, readonly string[]>
  /** Whom outside the platform it may ask on a user's behalf. Never in its own name. */
  outside?: Record<string, OutsideAudience>
  /** Whether its word on the user's workspace is taken: it is the one that knows the memberships. */
  assertsWorkspace?: boolean
}

/** Somebody outside who believes the issuer's keys, and reads its tokens in a way of its own. */
export interface OutsideAudience {
  /** The most that a token for it may allow. */
  permissions: readonly string[]
  /** What `role` means there: to PostgREST, and so to Supabase, the role of the database that the request becomes. */
  role: string
}

export type DelegationPolicy = Record<string, Delegation>

const ALL = ['*']
const MEMORY = ['memory.read', 'memory.write']

/** The call edges of the platform. A service that is not here, or an audience not under it, cannot be reached. */
export const DELEGATION: DelegationPolicy = {
  gateway: {
    audiences: { 'auth-service': ALL, 'llm-proxy': ALL, docling: ALL, data_store: ALL, 'work-platform': ALL },
  },
  docling: { audiences: { 'llm-proxy': ['agents.query', ...MEMORY] } },
  'llm-proxy': {
    audiences: { data_store: MEMORY },
    // For the user's own provider keys: whose they are is all that counts there.
    outside: { supabase: { permissions: [], role: 'authenticated' } },
  },
  data_store: { audiences: {}, outside: { supabase: { permissions: MEMORY, role: 'authenticated' } } },
  'work-platform': { audiences: { 'substrate-api': [] }, assertsWorkspace: true },
}

/** A refused grant, by its OAuth error code (RFC 6749 section 5.2, RFC 8707 for `invalid_target`). */
export class GrantError extends Error {
  readonly code:
    'invalid_request' | 'invalid_grant' | 'invalid_target' | 'invalid_scope' | 'unauthorized_client'

  constructor(code: GrantError['code'], message: string) {
    super(message)
    this.name = 'GrantError'
    this.code = code
  }
}

export interface DelegationRequest {
  /** The verified claims of the subject token. */
  subject: AccessTokenClaims
  /** The authenticated service that asks. */
  actor: string
  audience: string
  /** The permissions asked for; everything that can be had when absent. */
  scope?: readonly string[]
  workspaceId?: string
}

export interface DelegationRules {
  policy: DelegationPolicy
  issuer: string
  /** The audience of the tokens that users log in to: any service may take part in serving those. */
  platformAudience: string
  /** What stands in `aud` for somebody outside, by the name in the policy; that name unless said. */
  outsideAudiences?: Readonly<Record<string, string>>
  lifetimeSeconds: number
  maxDepth: number
  nowSeconds: number
}

/**
 * The on-behalf-of grant (RFC 8693): the same subject, one audience, one more actor, never more permissions than the
 * subject has and the acting service may hand on, never a longer life than the subject token's. Outside the platform nothing
 * goes along but whom it is for: no address, session or key.
 * @throws GrantError
 */
export function delegate(request: DelegationRequest, rules: DelegationRules): TokenGrant {
  const { subject, actor, audience } = request
  const delegation = Object.hasOwn(rules.policy, actor) ? rules.policy[actor] : undefined
  const outside = own(delegation?.outside, audience)
  const ceiling = outside ? outside.permissions : own(delegation?.audiences, audience)
  if (!delegation || !ceiling)
    throw new GrantError('invalid_target', `${actor} may not act towards ${audience}.`)
  if (!audiencesOf(subject).some((held) => held === actor || held === rules.platformAudience)) {
    throw new GrantError('invalid_grant', `The subject token was not issued for ${actor}.`)
  }
  if (actorsOf(subject.act).length >= rules.maxDepth) {
    throw new GrantError('invalid_grant', `The chain of actors is longer than ${String(rules.maxDepth)}.`)
  }
  if (request.workspaceId !== undefined && !delegation.assertsWorkspace) {
    throw new GrantError('invalid_request', `${actor} may not name a workspace.`)
  }
  const lifetimeSeconds = Math.min(rules.lifetimeSeconds, Math.floor(subject.exp - rules.nowSeconds))
  if (lifetimeSeconds < 1) throw new GrantError('invalid_grant', 'The subject token has expired.')
  const held = intersectPermissions(scopesOf(subject), ceiling)
  const granted = request.scope ? intersectPermissions(held, request.scope) : held
  if (request.scope?.some((wanted) => intersectPermissions(held, [wanted]).length === 0)) {
    throw new GrantError('invalid_scope', 'More permissions were asked for than can be handed on.')
  }
  const { iss: _iss, aud: _aud, iat: _iat, nbf: _nbf, exp: _exp, jti, ...kept } = subject
  const who = outside ? { ...identityOf(subject), role: outside.role } : kept
  const workspaceId = request.workspaceId ?? subject.workspace_id
  return {
    claims: {
      ...who,
      iss: rules.issuer,
      aud: outside ? (own(rules.outsideAudiences, audience) ?? audience) : audience,
      client_id: actor,
      scope: granted.join(' '),
      ...(workspaceId !== undefined && { workspace_id: workspaceId }),
      origin_jti: subject.origin_jti ?? jti,
      act: { sub: actor, ...(subject.act && { act: subject.act }) },
    },
    lifetimeSeconds,
  }
}

function identityOf({ sub, principal, tenant_id }: AccessTokenClaims) {
  return { sub, principal, ...(tenant_id !== undefined && { tenant_id }) }
}

/** Not what every object has: the names come from a request. */
function own<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record && Object.hasOwn(record, name) ? record[name] : undefined
}
