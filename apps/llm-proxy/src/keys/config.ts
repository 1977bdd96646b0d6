import { supabaseEnv } from '@waybill/http-client'
import { env } from '@waybill/service-kit'
import { keyEncryptionKeysEnv } from './key-encryption-keys.ts'

/** The variables of the users' provider keys. */
export const keysEnv = {
  ...supabaseEnv,
  PROVIDER_KEY_ENCRYPTION_KEYS: keyEncryptionKeysEnv().describe(
    "What the users' provider keys are encrypted with: `v2:<32 random bytes in base64>,v1:...`. The first version encrypts, all of them decrypt; `npm run keys:reencrypt` before one is taken away",
  ),
  KEY_STORE: env
    .choice(['postgres', 'supabase'], 'postgres')
    .describe("Where the users' provider keys are kept: this service's database, or a project of Supabase"),
  KEY_CACHE_SECONDS: env
    .int({ min: 0, max: 3_600, default: 30 })
    .describe(
      "For how long a user's provider keys are kept in memory, encrypted as they are stored: so long a change made through another instance may go unnoticed. 0 asks the store each time",
    ),
  KEY_CACHE_USERS: env
    .int({ min: 1, max: 1_000_000, default: 10_000 })
    .describe('How many users have their provider keys in memory at a time'),
  KEYS_PER_USER_MAX: env
    .int({ min: 1, max: 1_000, default: 50 })
    .describe('The most provider keys of a user'),
  KEY_CHECKS_PER_MINUTE: env
    .int({ min: 1, max: 100_000, default: 10 })
    .describe('How often a minute a user may have a provider asked whether a key is good'),
  KEY_CHECK_TIMEOUT_MS: env
    .int({ min: 100, max: 60_000, default: 10_000 })
    .describe('How long a provider has to say whether a key is good, in milliseconds'),
}
