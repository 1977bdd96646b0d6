import { availableParallelism } from 'node:os'
import type { Database } from '@waybill/database'
import { createQuotas, createThrottle } from '@waybill/service-kit'
import type { Denial, Logger, Throttle } from '@waybill/service-kit'
import { createAccounts } from './accounts.ts'
import type { Accounts } from './accounts.ts'
import { firstAdminOf } from './accounts-env.ts'
import { createApiKeys } from '../api-keys/api-keys.ts'
import type { ApiKeys } from '../api-keys/api-keys.ts'
import { createReadAudit } from '../audit/audit.ts'
import type { ReadAudit } from '../audit/audit.ts'
import { bootstrapAdmin } from './bootstrap-admin.ts'
import type { Config } from '../config.ts'
import { createDenials } from '../audit/denials.ts'
import type { Denials } from '../audit/denials.ts'
import { createHousekeeping } from '../time/housekeeping.ts'
import { createKeyUse } from '../api-keys/key-use.ts'
import { createLimits } from './limits.ts'
import type { Limits } from './limits.ts'
import { createLockout } from './lockout.ts'
import { createPasswordChange } from './password-change.ts'
import type { PasswordChange } from './password-change.ts'
import { createPasswordPolicy } from './password-policy.ts'
import { createPasswords } from './passwords.ts'
import type { RefreshTokens } from '../sessions/refresh-token.ts'
import type { ResolveKey } from '../api-keys/resolved-key.ts'
import type { Revocations } from '../revocations/revocations.ts'
import { createSemaphore } from './semaphore.ts'
import { createSessions } from '../sessions/sessions.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Schema } from '../store/schema.ts'
import { createUsers } from './users.ts'
import type { Users } from './users.ts'

export interface PeopleOptions {
  config: Config
  database: Database<Schema>
  refreshTokens: RefreshTokens
  revocations: Revocations
  log: Logger
  /** Milliseconds since the epoch. */
  now: () => number
}

/** What its routes are made of. */
export interface PeopleRooms {
  accounts: Accounts
  changePassword: PasswordChange
  sessions: Sessions
  apiKeys: ApiKeys
  users: Users
  limits: Limits
  denials: Denials
  readAudit: ReadAudit
}

/** The half of this service that knows people: their accounts, passwords, sessions, keys, and what became of them. */
export interface People {
  rooms: PeopleRooms
  resolveKey: ResolveKey
  throttle: Throttle
  denied: (denial: Denial) => Promise<void>
  starting: readonly ((signal: AbortSignal) => Promise<void>)[]
  /** Before the database. */
  close(): Promise<void>
}

export function createPeople({
  config,
  database,
  refreshTokens,
  revocations,
  log,
  now,
}: PeopleOptions): People {
  const quotas = createQuotas({ redisUrl: config.REDIS_URL, log })
  const limits = createLimits({
    quotas,
    loginsPerMinute: config.LOGIN_LIMIT_PER_MINUTE,
    loginsPerMinuteAndAddress: config.LOGIN_ADDRESS_LIMIT_PER_MINUTE || 4 * config.LOGIN_LIMIT_PER_MINUTE,
    registrationsPerHour: config.REGISTRATION_LIMIT_PER_HOUR,
    clientFailuresPerMinute: config.CLIENT_FAILURES_PER_MINUTE,
  })
  const rule = {
    maxSeconds: config.LOGIN_LOCK_MAX_SECONDS,
    forgetSeconds: config.LOGIN_LOCK_FORGET_SECONDS,
  }
  const lockout = createLockout({
    ...{ database, encryptionKey: config.SIGNING_KEY_ENCRYPTION_KEY },
    byName: { ...rule, after: config.LOGIN_LOCK_AFTER },
    byAddress: { ...rule, after: config.LOGIN_LOCK_ADDRESS_AFTER },
  })
  const hashing = createSemaphore({
    permits: config.PASSWORD_HASH_CONCURRENCY || availableParallelism(),
    queue: config.PASSWORD_HASH_QUEUE,
    what: 'The checking of passwords',
  })
  const passwords = createPasswords(hashing, {
    memoryKib: config.PASSWORD_HASH_MEMORY_KIB,
    passes: config.PASSWORD_HASH_PASSES,
    lanes: config.PASSWORD_HASH_LANES,
  })
  const policy = createPasswordPolicy({
    policy: config.PASSWORD_POLICY,
    minLength: config.PASSWORD_MIN_LENGTH,
    contextWords: config.PASSWORD_CONTEXT_WORDS,
  })
  const sessions = createSessions({
    ...{ database, refreshTokens, revocations },
    lifetimeDays: config.REFRESH_TOKEN_EXPIRATION_DAYS,
    graceSeconds: config.REFRESH_GRACE_SECONDS,
  })
  const accounts = createAccounts({ database, passwords, policy, sessions, limits, lockout })
  const changePassword = createPasswordChange({
    ...{ database, passwords, policy, sessions, lockout, history: config.PASSWORD_HISTORY },
  })
  const keyUse = createKeyUse(database, now)
  const apiKeys = createApiKeys({
    ...{ database, revocations, keyUse },
    perUser: config.API_KEYS_PER_USER,
    keptDays: config.API_KEYS_KEPT_DAYS,
  })
  const users = createUsers({ database, lockout, sessions, revocations })
  const denials = createDenials(database)
  const housekeeping = createHousekeeping({
    chores: {
      'the last use of API keys': () => keyUse.flush(),
      'expired sessions': () => sessions.sweep(),
      'API keys that ended': () => apiKeys.sweep(),
      'forgotten wrong passwords': () => lockout.sweep(),
    },
    ...{ everySeconds: config.HOUSEKEEPING_SECONDS, log },
  })
  const throttle = createThrottle(quotas, config)
  const firstAdmin = firstAdminOf(config)

  const readAudit = createReadAudit(database)

  return {
    rooms: { accounts, changePassword, sessions, apiKeys, users, limits, denials, readAudit },
    resolveKey: apiKeys.resolve,
    throttle: async (call) => {
      const { auth, path } = call.route
      // What services ask for with their own credentials, and what anybody may read, is not counted by address.
      if (auth.open && !path.startsWith('/auth/')) return
      await throttle(call)
    },
    denied: (denial) => denials.ofRequest(denial),
    starting: [
      () => quotas.start(),
      async () => firstAdmin && bootstrapAdmin({ database, passwords, policy, admin: firstAdmin, log }),
      (signal) => housekeeping.start(signal),
    ],
    async close() {
      await housekeeping.close()
      await quotas.close()
    },
  }
}
