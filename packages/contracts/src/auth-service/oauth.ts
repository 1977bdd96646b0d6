import { z } from 'zod'
import { endpoint } from '../endpoint.ts'

const service = 'auth-service' as const

export const TOKEN_PATH = '/oauth/token'
export const INTROSPECT_PATH = '/oauth/introspect'
export const REVOKE_PATH = '/oauth/revoke'
export const REVOCATIONS_PATH = '/oauth/revocations'
export const JWKS_PATH = '/.well-known/jwks.json'
export const METADATA_PATH = '/.well-known/oauth-authorization-server'

/** RFC 8693 section 2.1 and 3. */
export const GRANT_TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const TOKEN_TYPE_ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
/** A subject token that is an API key of ours; RFC 8693 section 3 lets a deployment define types of its own. */
export const TOKEN_TYPE_API_KEY = 'urn:waybill:params:oauth:token-type:api-key'

/** What `/oauth/token` answers (RFC 6749 section 5.1, RFC 8693 section 2.2.1); `expires_in` in seconds. */
export const tokenResponse = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.number().int().positive(),
  scope: z.string(),
  issued_token_type: z.string().optional(),
})

/** What the OAuth endpoints answer when they refuse (RFC 6749 section 5.2). */
export const tokenError = z.looseObject({ error: z.string(), error_description: z.string().optional() })

/**
 * What `/oauth/introspect` answers (RFC 7662 section 2.2): `active: false` and nothing else for whatever is not a live
 * credential. The members of an active one are the claims of an access token; `key_id` stands for an API key.
 */
export const introspection = z.union([
  z.strictObject({ active: z.literal(false) }),
  z.looseObject({
    active: z.literal(true),
    token_type: z.enum(['access_token', 'api_key', 'refresh_token']),
    iss: z.string(),
    sub: z.string(),
    principal: z.enum(['user', 'service']),
    client_id: z.string(),
    scope: z.string(),
    /** Seconds since the epoch. */
    iat: z.number().int(),
    exp: z.number().int(),
    role: z.string().optional(),
    email: z.string().optional(),
    tier: z.string().optional(),
    tenant_id: z.string().optional(),
    key_id: z.string().optional(),
  }),
])
export type Introspection = z.output<typeof introspection>

/** The keys that verify the tokens of this issuer (RFC 7517). */
export const jwks = endpoint({
  service,
  method: 'GET',
  path: JWKS_PATH,
  summary: 'The public halves of the signing keys',
  output: z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string() })) }),
})

/** RFC 8414 section 2. */
export const metadata = endpoint({
  service,
  method: 'GET',
  path: METADATA_PATH,
  summary: 'What this issuer can do, and where',
  output: z.object({
    issuer: z.string(),
    token_endpoint: z.string(),
    jwks_uri: z.string(),
    introspection_endpoint: z.string(),
    revocation_endpoint: z.string(),
    scopes_supported: z.array(z.string()),
    response_types_supported: z.array(z.string()),
    grant_types_supported: z.array(z.string()),
    token_endpoint_auth_methods_supported: z.array(z.string()),
    introspection_endpoint_auth_methods_supported: z.array(z.string()),
    revocation_endpoint_auth_methods_supported: z.array(z.string()),
    tls_client_certificate_bound_access_tokens: z.boolean(),
    service_documentation: z.string(),
  }),
})

/**
 * Something that is believed no more, although its tokens have not expired. `user`: every token of that user issued
 * before `not_before`. `signing_key`: every token whose header names it as `kid`. `session`, `token` and `api_key`: every
 * token whose `sid`, `jti` or `origin_jti`, or `key_id` is `id`. `api_key_changed` revokes nothing: the key ends sooner
 * than it was to, and what is remembered of it must be asked anew.
 */
export const revocation = z.object({
  kind: z.enum(['session', 'token', 'api_key', 'api_key_changed', 'user', 'signing_key']),
  id: z.string(),
  /** Seconds since the epoch; for `user` only. */
  not_before: z.number().int().optional(),
  /** When no token that it speaks of can live any more, and it may be forgotten. Seconds since the epoch. */
  expires_at: z.number().int(),
})
export type Revocation = z.output<typeof revocation>

/** The feed of revocations: those after `cursor` of the page before, oldest first. */
export const revocationPage = z.object({ cursor: z.string(), revocations: z.array(revocation) })
export type RevocationPage = z.output<typeof revocationPage>

/** The longest that the feed keeps a follower waiting for news, in seconds. */
export const REVOCATIONS_MAX_WAIT_SECONDS = 25

/** `after`: the `cursor` of the page before; everything that is still in force when absent. `wait`: seconds to wait for news. */
export const revocationsQuery = z.strictObject({
  after: z
    .string()
    .regex(/^\d{1,19}$/)
    .optional(),
  wait: z.coerce.number().int().min(0).max(REVOCATIONS_MAX_WAIT_SECONDS).default(0),
})
