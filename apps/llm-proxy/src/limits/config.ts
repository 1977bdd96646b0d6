import { env, perTier, throttleEnv } from '@waybill/service-kit'
import type { PerTier, Secret } from '@waybill/service-kit'

/** The variables of the limits on calls to models. */
export const limitsEnv = {
  REDIS_URL: throttleEnv.REDIS_URL,
  ANONYMOUS_CALLS_PER_MINUTE: throttleEnv.ANONYMOUS_CALLS_PER_MINUTE,
  LLM_REQUESTS_PER_MINUTE: perTier({ free: 30, standard: 300, premium: 3_000 }).describe(
    'Requests to models of one user in a minute, by tier',
  ),
  LLM_TOKENS_PER_MINUTE: perTier({ free: 100_000, standard: 1_000_000, premium: 10_000_000 }).describe(
    'Tokens, of input and output, of one user in a minute, by tier',
  ),
  LLM_CONCURRENT_REQUESTS: perTier({ free: 5, standard: 50, premium: 200 }).describe(
    'Requests to models of one user at the same time, by tier',
  ),
  API_KEY_LLM_REQUESTS_PER_MINUTE: perTier({ free: 15, standard: 150, premium: 1_500 }).describe(
    "The same with one API key, by its owner's tier; they count for the owner too",
  ),
  API_KEY_LLM_TOKENS_PER_MINUTE: perTier({ free: 50_000, standard: 500_000, premium: 5_000_000 }).describe(
    "Tokens with one API key, by its owner's tier",
  ),
  API_KEY_LLM_CONCURRENT_REQUESTS: perTier({ free: 2, standard: 25, premium: 100 }).describe(
    "Requests at the same time with one API key, by its owner's tier",
  ),
  CONCURRENCY_LEASE_SECONDS: env
    .int({ min: 3, max: 3_600, default: 60 })
    .describe('After so long the places that a crashed instance held in Redis are free again, in seconds'),
}

export interface LimitsConfig {
  REDIS_URL?: Secret | undefined
  ANONYMOUS_CALLS_PER_MINUTE: number
  LLM_REQUESTS_PER_MINUTE: PerTier
  LLM_TOKENS_PER_MINUTE: PerTier
  LLM_CONCURRENT_REQUESTS: PerTier
  API_KEY_LLM_REQUESTS_PER_MINUTE: PerTier
  API_KEY_LLM_TOKENS_PER_MINUTE: PerTier
  API_KEY_LLM_CONCURRENT_REQUESTS: PerTier
  CONCURRENCY_LEASE_SECONDS: number
}
