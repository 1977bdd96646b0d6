import { authService } from '@waybill/contracts'
import { env } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'
import type { FirstAdmin } from './bootstrap-admin.ts'

const registration = authService.registration.shape

/** OWASP's least for argon2id: 19 MiB with two passes. */
const LEAST_MEMORY_KIB = 19_456
const LEAST_PASSES = 2

/** The variables that are about people: their passwords, their limits, their keys. */
export const accountsEnv = {
  PASSWORD_POLICY: env
    .choice(['asvs', 'seed'], 'asvs')
    .describe(
      'asvs: length, 4 different characters, no common password, no name; seed: that, and upper case, lower case, digit and special character',
    ),
  PASSWORD_MIN_LENGTH: env
    .int({ min: 8, max: 64, default: 8 })
    .describe('The fewest characters of a password that is chosen'),
  PASSWORD_CONTEXT_WORDS: env
    .list(['waybill'])
    .describe('Words that make no password better, like the username: the names of the product'),
  PASSWORD_HISTORY: env
    .int({ min: 1, max: 24, default: 5 })
    .describe('How many passwords of a user, the current one included, may not be chosen again'),
  PASSWORD_HASH_MEMORY_KIB: env
    .int({ min: LEAST_MEMORY_KIB, max: 4_194_304, default: LEAST_MEMORY_KIB })
    .describe('Memory of one argon2id hash, in KiB; a change is applied to each account at its next login'),
  PASSWORD_HASH_PASSES: env
    .int({ min: LEAST_PASSES, max: 100, default: LEAST_PASSES })
    .describe('Passes of one argon2id hash'),
  PASSWORD_HASH_LANES: env.int({ min: 1, max: 64, default: 1 }).describe('Lanes of one argon2id hash'),
  LOGIN_LOCK_AFTER: env
    .int({ min: 2, max: 1_000_000, default: 5 })
    .describe(
      'The wrong password in a row on one name that locks it for 1 s; every further one for twice as long',
    ),
  LOGIN_LOCK_ADDRESS_AFTER: env
    .int({ min: 2, max: 1_000_000, default: 50 })
    .describe('The same for one address (IPv6: one /64), whatever the names'),
  LOGIN_LOCK_MAX_SECONDS: env
    .int({ min: 1, max: 86_400, default: 900 })
    .describe('The longest such lock, in seconds'),
  LOGIN_LOCK_FORGET_SECONDS: env
    .int({ min: 60, max: 31_536_000, default: 86_400 })
    .describe('After how long without a wrong password all are forgotten, in seconds'),
  API_KEYS_PER_USER: env
    .int({ min: 1, max: 10_000, default: 20 })
    .describe(
      'API keys that one user may have at a time; as many that are being rotated may work beside them',
    ),
  API_KEYS_KEPT_DAYS: env
    .int({ min: 1, max: 3650, default: 90 })
    .describe('For how long an API key is still listed after its end, in days'),
  HOUSEKEEPING_SECONDS: env
    .int({ min: 1, max: 86_400, default: 60 })
    .describe(
      'How often what has expired is removed, and the last use of API keys is written down, in seconds',
    ),
  BOOTSTRAP_ADMIN_USERNAME: env
    .text()
    .pipe(registration.username)
    .optional()
    .describe('The administrator that is made at the start when there is none; needs the two below'),
  BOOTSTRAP_ADMIN_EMAIL: env
    .text()
    .pipe(registration.email)
    .optional()
    .describe('The e-mail address of that administrator'),
  BOOTSTRAP_ADMIN_PASSWORD: env
    .secret()
    .optional()
    .describe('The password of that administrator; the variable can go once it has logged in'),
}

interface FirstAdminConfig {
  BOOTSTRAP_ADMIN_USERNAME?: string | undefined
  BOOTSTRAP_ADMIN_EMAIL?: string | undefined
  BOOTSTRAP_ADMIN_PASSWORD?: Secret | undefined
}

/** The administrator of BOOTSTRAP_ADMIN_*; undefined unless all three are there. */
export function firstAdminOf(config: FirstAdminConfig): FirstAdmin | undefined {
  const { BOOTSTRAP_ADMIN_USERNAME: username, BOOTSTRAP_ADMIN_EMAIL: email } = config
  const { BOOTSTRAP_ADMIN_PASSWORD: password } = config
  return username !== undefined && email !== undefined && password ? { username, email, password } : undefined
}

/** Whether BOOTSTRAP_ADMIN_* is there as a whole, or not at all. */
export function isWholeFirstAdmin(config: FirstAdminConfig): boolean {
  const parts = [
    config.BOOTSTRAP_ADMIN_USERNAME,
    config.BOOTSTRAP_ADMIN_EMAIL,
    config.BOOTSTRAP_ADMIN_PASSWORD,
  ]
  return parts.every((part) => part === undefined) || firstAdminOf(config) !== undefined
}
