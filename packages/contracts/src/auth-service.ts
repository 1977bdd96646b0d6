import { z } from 'zod'

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

/** What register, login and refresh answer; `expires_in` in seconds. */
export const session = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal('bearer'),
  expires_in: z.number().int().positive(),
  user_id: z.string(),
  username: z.string(),
  role: z.string(),
})
