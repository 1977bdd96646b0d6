import { authEnv } from '@waybill/auth'
import { SERVICES } from '@waybill/contracts'
import { databaseEnv } from '@waybill/database'
import { env, serviceEnv, throttleEnv } from '@waybill/service-kit'
import { z } from 'zod'
import { accountsEnv, isWholeFirstAdmin } from './people/accounts-env.ts'
import { clientHashes, encryptionKey } from './config-values.ts'

const DEFAULT_PORT = 8005

export const configSchema = z
  .object({
    ...serviceEnv({ port: DEFAULT_PORT }),
    AUTH_PORT: env
      .int({ min: 0, max: 65_535, default: DEFAULT_PORT })
      .describe('Another name for PORT; PORT wins where both are set'),
    ...authEnv,
    ...databaseEnv,
    ...throttleEnv,
    ...accountsEnv,
    SIGNING_KEY_ENCRYPTION_KEY: encryptionKey().describe(
      'Encrypts the signing keys in the database, and authenticates refresh tokens: 32 random bytes in base64',
    ),
    SERVICE_CLIENTS: clientHashes().describe(
      'Which services may ask for tokens: a JSON object, name to SHA-256 of the secret in hex, or to two of them',
    ),
    JWT_EXPIRATION_HOURS: env
      .number({ min: 1 / 3600, max: 24 * 31, default: 24 })
      .describe('The life of the access tokens that users log in to, in hours; 0.25 is a quarter of one'),
    REFRESH_TOKEN_EXPIRATION_DAYS: env
      .int({ min: 1, max: 3650, default: 30 })
      .describe('The life of a session, however often it is refreshed, in days'),
    REFRESH_GRACE_SECONDS: env
      .int({ min: 0, max: 60, default: 10 })
      .describe(
        'For how long the last refresh token but one is answered with the same successor, in seconds',
      ),
    ON_BEHALF_OF_SECONDS: env
      .int({ min: 10, max: 3600, default: 300 })
      .describe("The life of an on-behalf-of token, in seconds; never more than the subject token's"),
    SUPABASE_AUDIENCE: env
      .text('supabase')
      .refine((audience) => !SERVICES.some((name) => name === audience), {
        error: 'is the name of a service, which would believe the tokens',
      })
      .describe("`aud` of the tokens by which data_store asks Supabase on a user's behalf"),
    SERVICE_TOKEN_SECONDS: env
      .int({ min: 10, max: 3600, default: 300 })
      .describe('The life of a token that a service gets in its own name, in seconds'),
    DELEGATION_MAX_DEPTH: env
      .int({ min: 1, max: 32, default: 8 })
      .describe('How many services may stand between a user and the last one'),
    LOGIN_LIMIT_PER_MINUTE: env
      .int({ min: 1, max: 1_000_000, default: 5 })
      .describe('Attempts to log in to one account, whoever makes them and whether it exists or not'),
    LOGIN_ADDRESS_LIMIT_PER_MINUTE: env
      .int({ min: 0, max: 1_000_000, default: 0 })
      .describe('Attempts to log in from one address; 0 is four times LOGIN_LIMIT_PER_MINUTE'),
    REGISTRATION_LIMIT_PER_HOUR: env
      .int({ min: 1, max: 1_000_000, default: 3 })
      .describe('Accounts tried to be made from one address, with a password that could be taken'),
    CLIENT_FAILURES_PER_MINUTE: env
      .int({ min: 1, max: 1_000_000, default: 60 })
      .describe(
        'Requests from one address whose service fails to authenticate; further ones are answered 429',
      ),
    PASSWORD_HASH_CONCURRENCY: env
      .int({ min: 0, max: 64, default: 0 })
      .describe('Passwords hashed at the same time, PASSWORD_HASH_MEMORY_KIB each; 0 is one per core'),
    PASSWORD_HASH_QUEUE: env
      .int({ min: 0, max: 10_000, default: 32 })
      .describe('Passwords waiting to be hashed; further ones are answered 503'),
    AUTH_SERVICE_PUBLIC_URL: env
      .url('')
      .describe('Where clients reach this service, for its metadata; empty: `http://127.0.0.1` and the port'),
    SIGNING_KEY_ROTATION_HOURS: env
      .number({ min: 1 / 3600, max: 24 * 366, default: 720 })
      .describe('For how long a key signs before the next one does, in hours'),
    SIGNING_KEY_PUBLISH_SECONDS: env
      .int({ min: 0, max: 30 * 86_400, default: 3600 })
      .describe(
        'For how long a key is published at least before it signs, in seconds; more than any JWKS_REFRESH_SECONDS',
      ),
    SIGNING_KEY_RELOAD_SECONDS: env
      .int({ min: 1, max: 60, default: 5 })
      .describe('How often each instance reads the signing keys, in seconds'),
    REVOCATION_FOLLOWERS_PER_SERVICE: env
      .int({ min: 1, max: 10_000, default: 64 })
      .describe('How many requests of one service may wait for revocations; further ones are answered 429'),
    JWKS_MAX_AGE_SECONDS: env
      .int({ min: 0, max: 3600, default: 60 })
      .describe('How long the published keys may be cached, in seconds'),
  })
  .refine((config) => config.JWT_EXPIRATION_HOURS * 3600 <= config.MAX_TOKEN_LIFETIME_SECONDS, {
    path: ['JWT_EXPIRATION_HOURS'],
    error: 'is longer than MAX_TOKEN_LIFETIME_SECONDS, so no service would believe the tokens',
  })
  .refine((config) => config.SUPABASE_AUDIENCE !== config.PLATFORM_AUDIENCE, {
    path: ['SUPABASE_AUDIENCE'],
    error: 'is PLATFORM_AUDIENCE, so every service would believe the tokens',
  })
  .refine(isWholeFirstAdmin, {
    path: ['BOOTSTRAP_ADMIN_PASSWORD'],
    error: 'must be set together with BOOTSTRAP_ADMIN_USERNAME and BOOTSTRAP_ADMIN_EMAIL, or none of them',
  })

export type Config = z.output<typeof configSchema>

/** The environment with PORT from AUTH_PORT where only that is set. */
export function withPortAlias(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PORT, AUTH_PORT } = environment
  return PORT === undefined && AUTH_PORT !== undefined ? { ...environment, PORT: AUTH_PORT } : environment
}
