import { z } from 'zod'
import { endpoint } from '../endpoint.ts'
import { id, permission, printable } from './fields.ts'

const service = 'auth-service' as const

/** `wb_`, 30 random base62 digits, and the CRC32 of those 33 characters in 6 base62 digits. */
export const API_KEY_PATTERN = /^wb_[0-9A-Za-z]{36}$/

/** An API key as it is told after its creation: all but the key. */
export const apiKey = z.object({
  key_id: z.string(),
  name: z.string(),
  /** The first characters of the key, to tell it from others. */
  prefix: z.string(),
  permissions: z.array(z.string()),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime(),
  last_used_at: z.iso.datetime().nullable(),
  revoked_at: z.iso.datetime().nullable(),
})

/** The only answer that holds the key itself. */
export const createdApiKey = apiKey.extend({ api_key: z.string() })

export const createApiKey = endpoint({
  service,
  method: 'POST',
  path: '/auth/api-keys',
  summary: 'Create an API key; the key is shown this once',
  body: z.strictObject({
    name: printable.trim().min(1).max(100),
    permissions: z.array(permission).min(1).max(64),
    expires_in_days: z.number().int().min(1).max(3650).default(30),
  }),
  output: createdApiKey,
  status: 201,
})

export const listApiKeys = endpoint({
  service,
  method: 'GET',
  path: '/auth/api-keys',
  summary: 'The API keys of the user, newest first',
  output: z.object({ api_keys: z.array(apiKey) }),
})

export const revokeApiKey = endpoint({
  service,
  method: 'DELETE',
  path: '/auth/api-keys/:key_id',
  summary: 'Revoke an API key',
  params: z.object({ key_id: id }),
  status: 204,
})

export const rotateApiKey = endpoint({
  service,
  method: 'POST',
  path: '/auth/api-keys/:key_id/rotate',
  summary: 'A new key with the same name and permissions; the old one ends after the overlap',
  params: z.object({ key_id: id }),
  body: z.strictObject({
    /** For how long the old key still works, in seconds. */
    overlap_seconds: z
      .number()
      .int()
      .min(0)
      .max(30 * 86_400)
      .default(86_400),
  }),
  output: createdApiKey,
  status: 201,
})
