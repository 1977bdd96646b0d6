import { env } from '@waybill/service-kit'
import type { Authenticate } from '@waybill/service-kit'
import type { z } from 'zod'
import { createAuthenticator } from './authenticator.ts'
import type { KeySource } from './jwks.ts'
import { createVerifier } from './verifier.ts'
import type { Verifier } from './verifier.ts'

/** The variables of whoever verifies tokens; spread into a service's schema. */
export const authEnv = {
  AUTH_ISSUER: env.text('https://waybill.local').describe('The `iss` of the tokens that are believed'),
  PLATFORM_AUDIENCE: env.text('waybill').describe('The `aud` of the tokens that users get when they log in'),
  TOKEN_CACHE_SIZE: env
    .int({ min: 0, max: 1_000_000, default: 10_000 })
    .describe('How many verified tokens are remembered'),
  CLOCK_SKEW_SECONDS: env
    .int({ min: 0, max: 300, default: 30 })
    .describe('Tolerance between clocks, in seconds'),
  MAX_TOKEN_LIFETIME_SECONDS: env
    .int({ min: 60, max: 31 * 86_400, default: 25 * 3600 })
    .describe('The longest life of a token that is believed, in seconds'),
}

export type AuthConfig = z.output<z.ZodObject<typeof authEnv>>

export interface ServiceAuthOptions {
  config: AuthConfig
  keys: KeySource
  /** The `aud` values that are accepted, any one of them. */
  audiences: readonly string[]
  edge?: boolean
  now?: () => number
}

/** The verifier and the authenticator of a service, from its configuration. */
export function createServiceAuth(options: ServiceAuthOptions): {
  verifier: Verifier
  authenticate: Authenticate
} {
  const { config, keys, audiences, edge, now } = options
  const verifier = createVerifier({
    keys,
    issuer: config.AUTH_ISSUER,
    audiences,
    skewSeconds: config.CLOCK_SKEW_SECONDS,
    maxLifetimeSeconds: config.MAX_TOKEN_LIFETIME_SECONDS,
    cacheSize: config.TOKEN_CACHE_SIZE,
    ...(now && { now }),
  })
  return { verifier, authenticate: createAuthenticator({ verifier, edge: edge ?? false }) }
}
