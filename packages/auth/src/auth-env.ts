import { authService } from '@waybill/contracts'
import { ConfigError, env } from '@waybill/service-kit'
import type { z } from 'zod'
import { sharedKey } from './keys/shared-secret.ts'
import type { SharedKey } from './keys/shared-secret.ts'

const DAY_SECONDS = 86_400
/** A feed without news answers as rarely as authService.REVOCATIONS_MAX_WAIT_SECONDS. */
const MIN_FEED_SILENCE_SECONDS = authService.REVOCATIONS_MAX_WAIT_SECONDS + 5

/** The variables of whoever verifies credentials; spread into a service's schema. */
export const authEnv = {
  AUTH_ISSUER: env.text('https://waybill.local').describe('The `iss` of the tokens that are believed'),
  PLATFORM_AUDIENCE: env.text('waybill').describe('The `aud` of the tokens that users get when they log in'),
  JWT_ALGORITHM: env
    .choice(['ES256', 'HS256'], 'ES256')
    .describe('ES256: keys from auth-service; HS256: one secret that every service shares, JWT_SECRET'),
  JWT_SECRET: env
    .secret()
    .optional()
    .describe('The secret of HS256, 32 bytes at least; whoever has it can make tokens'),
  JWT_SECRET_KEY: env
    .secret()
    .optional()
    .describe('Another name for JWT_SECRET; JWT_SECRET wins where both are set'),
  TOKEN_CACHE_SIZE: env
    .int({ min: 0, max: 1_000_000, default: 10_000 })
    .describe('How many verified tokens are remembered'),
  CLOCK_SKEW_SECONDS: env
    .int({ min: 0, max: 300, default: 30 })
    .describe('Tolerance between clocks, in seconds'),
  MAX_TOKEN_LIFETIME_SECONDS: env
    .int({ min: 60, max: 31 * DAY_SECONDS, default: 25 * 3600 })
    .describe('The longest life of a token that is believed, in seconds'),
  JWKS_REFRESH_SECONDS: env
    .int({ min: 1, max: DAY_SECONDS, default: 60 })
    .describe(
      "How old the issuer's keys may grow, in seconds; less than the time between publishing and using one",
    ),
  JWKS_COOLDOWN_SECONDS: env
    .int({ min: 1, max: 3600, default: 30 })
    .describe('The pause between two fetches of the keys, failed ones included, in seconds'),
  JWKS_MAX_STALE_SECONDS: env
    .int({ min: 0, max: 31 * DAY_SECONDS, default: DAY_SECONDS })
    .describe('How long the keys are believed while the issuer cannot be reached, in seconds'),
  API_KEY_CACHE_SECONDS: env
    .int({ min: 0, max: 60, default: 30 })
    .describe('How long an API key is believed without asking auth-service again, in seconds'),
  API_KEY_CACHE_SIZE: env
    .int({ min: 0, max: 1_000_000, default: 10_000 })
    .describe('How many API keys are remembered, and as many that were refused'),
  REVOCATION_MAX_STALE_SECONDS: env
    .int({ min: 0, max: DAY_SECONDS, default: 0 })
    .refine((seconds) => seconds === 0 || seconds >= MIN_FEED_SILENCE_SECONDS, {
      error: `must be 0, or ${MIN_FEED_SILENCE_SECONDS} at least`,
    })
    .describe(
      'How long the feed of revocations may be silent before tokens and API keys are answered 503, in seconds; 0: for ever',
    ),
  REVOCATION_LIST_SIZE: env
    .int({ min: 100, max: 10_000_000, default: 100_000 })
    .describe('How many revocations are kept'),
}

export type AuthConfig = z.output<z.ZodObject<typeof authEnv>>

/**
 * The key of the secret that all services share; undefined unless JWT_ALGORITHM is HS256.
 * @throws ConfigError when there is no secret, or a short one
 */
export function sharedKeyOf(
  config: Pick<AuthConfig, 'JWT_ALGORITHM' | 'JWT_SECRET' | 'JWT_SECRET_KEY'>,
): SharedKey | undefined {
  if (config.JWT_ALGORITHM !== 'HS256') return undefined
  const variable = config.JWT_SECRET || !config.JWT_SECRET_KEY ? 'JWT_SECRET' : 'JWT_SECRET_KEY'
  const secret = config[variable]
  if (!secret) throw new ConfigError([{ variable, message: 'is required when JWT_ALGORITHM is HS256' }])
  try {
    return sharedKey(secret)
  } catch (error) {
    throw new ConfigError([
      { variable, message: error instanceof RangeError ? error.message : 'is not usable' },
    ])
  }
}
