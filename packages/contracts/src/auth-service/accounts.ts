import { z } from 'zod'
import { endpoint } from '../endpoint.ts'
import { id, newPassword, password, permission, printable, tenantId, tierName } from './fields.ts'

const service = 'auth-service' as const

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

/** A user as it is told to that user. */
export const account = z.object({
  user_id: z.string(),
  username: z.string(),
  email: z.string(),
  full_name: z.string().nullable(),
  role: z.string(),
  tier: tierName,
  /** Absent for whoever belongs to no tenant. */
  tenant_id: tenantId.optional(),
  created_at: z.iso.datetime(),
})

/** `@` is kept out of usernames, so that no username can be somebody else's e-mail address. */
export const registration = z.strictObject({
  username: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]{1,63}$/,
      'must be 2 to 64 letters, digits, dots, hyphens or underscores',
    ),
  email: z.email().max(254),
  password: newPassword,
  full_name: printable.trim().min(1).max(200).optional(),
})

export const register = endpoint({
  service,
  method: 'POST',
  path: '/auth/register',
  summary: 'Create an account with the role user',
  body: registration,
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
  summary: 'The user whose credential this is, and what it allows',
  output: account.extend({ permissions: z.array(z.string()), session_id: z.string() }),
})

export const changePassword = endpoint({
  service,
  method: 'POST',
  path: '/auth/change-password',
  summary: 'Change the password; every other session of the user ends',
  body: z.strictObject({ current_password: password, new_password: newPassword }),
  status: 204,
})

/** The answer of `verify-permission`: yes or no, and what decided. */
export const permissionDecision = z.object({
  allowed: z.boolean(),
  permission: z.string(),
  resource: z.string().nullable(),
  /** `role`, `api_key`, `scope` (the token allows less than the role) or `policy` (nothing grants it to anybody). */
  decided_by: z.enum(['role', 'api_key', 'scope', 'policy']),
  /** The role, the key's id, or the rule that decided. */
  decider: z.string(),
  /** For people, in one sentence. */
  reason: z.string(),
})

export const verifyPermission = endpoint({
  service,
  method: 'POST',
  path: '/auth/verify-permission',
  summary: 'Whether the caller has a permission, and why',
  body: z.strictObject({ permission, resource: printable.min(1).max(512).optional() }),
  output: permissionDecision,
})

/** One session of a user: a login and what was refreshed from it. */
export const sessionSummary = z.object({
  session_id: z.string(),
  created_at: z.iso.datetime(),
  last_used_at: z.iso.datetime(),
  expires_at: z.iso.datetime(),
  /** Whether it is the session that asks. */
  current: z.boolean(),
})

export const listSessions = endpoint({
  service,
  method: 'GET',
  path: '/auth/sessions',
  summary: 'The sessions of the user that live, newest first',
  output: z.object({ sessions: z.array(sessionSummary) }),
})

export const revokeSession = endpoint({
  service,
  method: 'DELETE',
  path: '/auth/sessions/:session_id',
  summary: 'End one session of the user',
  params: z.object({ session_id: id }),
  status: 204,
})

export const revokeOtherSessions = endpoint({
  service,
  method: 'DELETE',
  path: '/auth/sessions',
  summary: 'End every session of the user but the one that asks',
  output: z.object({ revoked: z.number().int() }),
})
