import { z } from 'zod'
import { auditFields, auditOutcome } from '../audit.ts'
import { endpoint } from '../endpoint.ts'
import { account } from './accounts.ts'
import { id, page, pageQuery, printable, roleName, tenantId, tierName } from './fields.ts'

const service = 'auth-service' as const

/** A user as it is told to an administrator. */
export const managedUser = account.extend({
  disabled_at: z.iso.datetime().nullable(),
  /** Until when further logins are refused after too many wrong passwords. */
  locked_until: z.iso.datetime().nullable(),
})

const userParams = z.object({ user_id: id })

export const listUsers = endpoint({
  service,
  method: 'GET',
  path: '/auth/admin/users',
  summary: 'Users, newest first; `search` matches the beginning of the username or the e-mail address',
  query: z.strictObject({
    ...pageQuery,
    search: printable.min(1).max(254).optional(),
    role: roleName.optional(),
  }),
  output: page(managedUser),
})

export const getUser = endpoint({
  service,
  method: 'GET',
  path: '/auth/admin/users/:user_id',
  summary: 'One user',
  params: userParams,
  output: managedUser,
})

export const updateUser = endpoint({
  service,
  method: 'PATCH',
  path: '/auth/admin/users/:user_id',
  summary: 'Change the role, the tier or the tenant of a user, or disable it; takes effect on tokens in use',
  params: userParams,
  body: z.strictObject({
    role: roleName.optional(),
    tier: tierName.optional(),
    /** Null takes the user out of its tenant. */
    tenant_id: tenantId.nullable().optional(),
    disabled: z.boolean().optional(),
  }),
  output: managedUser,
})

export const unlockUser = endpoint({
  service,
  method: 'POST',
  path: '/auth/admin/users/:user_id/unlock',
  summary: 'Forget the wrong passwords of a user',
  params: userParams,
  output: managedUser,
})

export const endUserSessions = endpoint({
  service,
  method: 'DELETE',
  path: '/auth/admin/users/:user_id/sessions',
  summary: 'End every session of a user',
  params: userParams,
  output: z.object({ revoked: z.number().int() }),
})

const clientName = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, 'must be a service name')

/** A secret of a service, told by its id only. */
export const clientSecret = z.object({
  secret_id: z.string(),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime().nullable(),
})

/** A service that may ask for tokens. `configured`: it stands in SERVICE_CLIENTS and cannot be changed here. */
export const serviceClient = z.object({
  name: z.string(),
  configured: z.boolean(),
  disabled_at: z.iso.datetime().nullable(),
  /** The services it may call, by DELEGATION. */
  audiences: z.array(z.string()),
  secrets: z.array(clientSecret),
})

/** The only answer that holds the secret itself. */
export const createdClientSecret = clientSecret.extend({ name: z.string(), secret: z.string() })

const secretBody = z.strictObject({ expires_in_days: z.number().int().min(1).max(3650).optional() })

export const listServiceClients = endpoint({
  service,
  method: 'GET',
  path: '/auth/admin/service-clients',
  summary: 'The services that may ask for tokens',
  output: z.object({ service_clients: z.array(serviceClient) }),
})

export const createServiceClient = endpoint({
  service,
  method: 'POST',
  path: '/auth/admin/service-clients',
  summary: 'Register a service; its secret is shown this once',
  body: secretBody.extend({ name: clientName }),
  output: createdClientSecret,
  status: 201,
})

export const addClientSecret = endpoint({
  service,
  method: 'POST',
  path: '/auth/admin/service-clients/:name/secrets',
  summary: 'A second secret for a service, while the first is being replaced; shown this once',
  params: z.object({ name: clientName }),
  body: secretBody,
  output: createdClientSecret,
  status: 201,
})

export const revokeClientSecret = endpoint({
  service,
  method: 'DELETE',
  path: '/auth/admin/service-clients/:name/secrets/:secret_id',
  summary: 'Revoke a secret of a service',
  params: z.object({ name: clientName, secret_id: id }),
  status: 204,
})

export const disableServiceClient = endpoint({
  service,
  method: 'DELETE',
  path: '/auth/admin/service-clients/:name',
  summary: 'Disable a service: it gets no tokens any more',
  params: z.object({ name: clientName }),
  status: 204,
})

export const signingKey = z.object({
  kid: z.string(),
  alg: z.string(),
  state: z.enum(['next', 'current', 'retired', 'revoked']),
  created_at: z.iso.datetime(),
  /** Since when it is in its state. */
  changed_at: z.iso.datetime(),
})

export const listSigningKeys = endpoint({
  service,
  method: 'GET',
  path: '/auth/admin/keys',
  summary: 'The signing keys and their states',
  output: z.object({ keys: z.array(signingKey) }),
})

export const rotateSigningKeys = endpoint({
  service,
  method: 'POST',
  path: '/auth/admin/keys/rotate',
  summary:
    'The next key becomes the current one, the current one is retired, and a new next one is published',
  output: z.object({ keys: z.array(signingKey) }),
})

export const revokeSigningKey = endpoint({
  service,
  method: 'DELETE',
  path: '/auth/admin/keys/:kid',
  summary: 'Revoke a signing key: every token that it signed is refused; the current one is replaced first',
  params: z.object({ kid: id }),
  output: z.object({ keys: z.array(signingKey) }),
})

/** A row of the audit. Each holds the hash of the one before, so that none can be changed or taken out unnoticed. */
export const auditRow = z.object({
  seq: z.number().int(),
  ...auditFields,
  /** SHA-256 in hex, of the row before and of this one. */
  previous_hash: z.string(),
  hash: z.string(),
})
export type AuditRow = z.output<typeof auditRow>

/** Rows, and the end of the chain when they were read. */
export const auditPage = z.object({
  rows: z.array(auditRow),
  head: z.object({ seq: z.number().int(), hash: z.string() }),
})

export const audit = endpoint({
  service,
  method: 'GET',
  path: '/auth/audit',
  summary: 'The audit, oldest first after `after`, or newest first without it',
  query: z.strictObject({
    after: z.coerce.number().int().min(0).optional(),
    limit: z.coerce.number().int().min(1).max(1000).default(100),
    action: printable.min(1).max(100).optional(),
    /** `user:<id>` or `service:<name>`: whoever did it or for whom it was done. */
    subject: printable.min(1).max(256).optional(),
    outcome: auditOutcome.optional(),
  }),
  output: auditPage,
})
