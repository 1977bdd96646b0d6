import { z } from 'zod'
import { permission } from './fields.ts'

export const VERIFY_PATH = '/auth/verify'

/** `permission`: what the caller must be allowed to do, if anything. */
export const verifyQuery = z.strictObject({ permission: permission.optional() })

/** What `/auth/verify` tells a gateway's sub-request of the caller (nginx: `auth_request_set`), beside X-User-ID, X-Tenant-ID and X-Service-Name. */
export const VERIFIED_HEADERS = {
  role: 'X-User-Role',
  /** Separated by spaces. */
  permissions: 'X-User-Permissions',
  via: 'X-Auth-Via',
} as const
