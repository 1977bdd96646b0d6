import { z } from 'zod'
import { endpoint } from './endpoint.ts'

const service = 'auth-service' as const

export const TOKEN_PATH = '/oauth/token'
export const JWKS_PATH = '/.well-known/jwks.json'

/** RFC 8693 section 2.1 and 3. */
export const GRANT_TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const TOKEN_TYPE_ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/** What `/oauth/token` answers (RFC 6749 section 5.1, RFC 8693 section 2.2.1); `expires_in` in seconds. */
export const tokenResponse = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.number().int().positive(),
  scope: z.string(),
  issued_token_type: z.string().optional(),
})

/** What `/oauth/token` answers when it refuses (RFC 6749 section 5.2). */
export const tokenError = z.looseObject({ error: z.string(), error_description: z.string().optional() })

/** What login and refresh answer; `expires_in` in seconds. */
export const session = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal('bearer'),
  expires_in: z.number().int().positive(),
  user_id: z.string(),
  username: z.string(),
  role: z.string(),
})

/** Letters that can be seen: a control character in a name is a mistake or an attack on whoever prints it. */
const printable = z.string().regex(/^\P{Cc}*$/u, 'must not hold control characters')

/** Not truncated at any length, so longer ones are refused: hashing them would be work for nothing. In characters. */
const MAX_PASSWORD_CHARS = 1024
const password = z.string().max(MAX_PASSWORD_CHARS)

/** A user as it is told to that user. */
export const account = z.object({
  user_id: z.string(),
  username: z.string(),
  email: z.string(),
  full_name: z.string().nullable(),
  role: z.string(),
  created_at: z.iso.datetime(),
})

/** `@` is kept out of usernames, so that no username can be somebody else's e-mail address. */
export const register = endpoint({
  service,
  method: 'POST',
  path: '/auth/register',
  summary: 'Create an account with the role user',
  body: z.strictObject({
    username: z
      .string()
      .regex(
        /^[A-Za-z0-9][A-Za-z0-9._-]{1,63}$/,
        'must be 2 to 64 letters, digits, dots, hyphens or underscores',
      ),
    email: z.email().max(254),
    password: password.min(8),
    full_name: printable.trim().min(1).max(200).optional(),
  }),
  output: account,
  status: 201,
})

export const login = endpoint({
  service,
  method: 'POST',
  path: '/auth/login',
  summary: 'Log in with a username or an e-mail address',
  // An empty password is let through to be wrong like any other: the answer must not depend on its form.
  body: z.strictObject({ username: printable.min(1).max(254), password }),
  output: session,
})

export const refresh = endpoint({
  service,
  method: 'POST',
  path: '/auth/refresh',
  summary: 'Exchange a refresh token for a new access token and the next refresh token',
  // As long as any token, so that one of the wrong kind is answered 401 like one that is spent.
  body: z.strictObject({ refresh_token: z.string().min(1).max(8192) }),
  output: session,
})

export const logout = endpoint({
  service,
  method: 'POST',
  path: '/auth/logout',
  summary: 'End the session that the token belongs to',
  status: 204,
})

export const me = endpoint({
  service,
  method: 'GET',
  path: '/auth/me',
  summary: 'The user whose token this is, and what it allows',
  output: account.extend({ permissions: z.array(z.string()), session_id: z.string() }),
})

/** The keys that verify the tokens of this issuer (RFC 7517). */
export const jwks = endpoint({
  service,
  method: 'GET',
  path: JWKS_PATH,
  summary: 'The public halves of the signing keys',
  output: z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string() })) }),
})
