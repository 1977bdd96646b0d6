import { createHmac, hash } from 'node:crypto'
import type { Jwks } from './start.ts'

/** The `aud` of tokens for PostgREST; auth-service gives data_store such tokens on a user's behalf. */
export const SUPABASE_AUDIENCE = 'supabase'

/** What goes into `apikey` on a user's call. PostgREST alone has nothing in front of it that would look at it. */
export const PUBLISHABLE_KEY = 'sb_publishable_development'

const TEN_YEARS_SECONDS = 315_360_000

/** The project's own key, as a legacy secret of Supabase is: it signs the key of the admin client, and no user's token. */
export function projectKeys(secret: string): Jwks {
  const k = Buffer.from(secret).toString('base64url')
  return { keys: [{ kty: 'oct', use: 'sig', alg: 'HS256', kid: keyId(secret), k }] }
}

/** The secret key of the project: a JWT of the role `service_role`, as the legacy ones of Supabase are. The same each time. */
export function serviceRoleKey(secret: string): string {
  const issuedAt = Math.floor(Date.parse('2026-01-01T00:00:00Z') / 1000)
  const header = { alg: 'HS256', typ: 'JWT', kid: keyId(secret) }
  const claims = {
    iss: 'supabase',
    role: 'service_role',
    aud: SUPABASE_AUDIENCE,
    iat: issuedAt,
    exp: issuedAt + TEN_YEARS_SECONDS,
  }
  const [head, body] = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  const signed = `${head}.${body}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

function keyId(secret: string): string {
  return hash('sha256', `waybill/kid${secret}`).slice(0, 16)
}
