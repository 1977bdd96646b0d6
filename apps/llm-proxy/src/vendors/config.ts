import { env } from '@waybill/service-kit'

export const vendorsEnv = {
  MODELS_CACHE_SECONDS: env
    .int({ min: 0, max: 86_400, default: 300 })
    .describe('How long the models of a provider are remembered for a user and key, in seconds'),
  MODELS_CACHE_ENTRIES: env
    .int({ min: 1, max: 1_000_000, default: 1_000 })
    .describe('For how many users and keys that is'),
  MODELS_TIMEOUT_MS: env
    .int({ min: 10, max: 600_000, default: 3_000 })
    .describe('How long a provider may take to list its models, in milliseconds; it is left out after that'),
}
