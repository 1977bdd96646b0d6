import { env } from '@waybill/service-kit'
import type { Authenticate } from '@waybill/service-kit'
import type { z } from 'zod'
import { createAuthenticator } from './authenticator.ts'
import type { KeySource } from './jwks.ts'
import { createVerifier } from './verifier.ts'
import type { Verifier } from './verifier.ts'

/** The variables of whoever verifies tokens; spread into a service's schema. */
export const authEnv = {
  /** The `iss` of the tokens that are believed. */
  AUTH_ISSUER: env.text('https://waybill.local'),
  /** The `aud` of the tokens that users get when they log in. */
  PLATFORM_AUDIENCE: env.text('waybill'),
  /** How many verified tokens are remembered. */
  TOKEN_CACHE_SIZE: env.int({ min: 0, max: 1_000_000, default: 10_000 }),
  /** Tolerance between clocks, in seconds. */
  CLOCK_SKEW_SECONDS: env.int({ min: 0, max: 300, default: 30 }),
  /** The longest life of a token that is believed, in seconds. */
  MAX_TOKEN_LIFETIME_SECONDS: env.int({ min: 60, max: 31 * 86_400, default: 25 * 3600 }),
}

export type AuthConfig = z.output<z.ZodObject<typeof authEnv>>

export interface ServiceAuthOptions {
  config: AuthConfig
  keys: KeySource
  /** The `aud` values to accept beside nothing else. */
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
