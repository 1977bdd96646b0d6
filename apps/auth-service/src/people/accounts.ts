import { isUniqueViolation, recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import { ATTRIBUTE, countEvent, METRIC } from '@waybill/telemetry'
import type { Limits } from './limits.ts'
import type { Lockout } from './lockout.ts'
import type { PasswordPolicy } from './password-policy.ts'
import type { Passwords } from './passwords.ts'
import { justProved } from './principals.ts'
import type { OpenSession, Sessions } from '../sessions/sessions.ts'
import type { Schema } from '../store/schema.ts'
import { findUser, findUserByName, holdCredentials, insertUser, replacePasswordHash } from '../store/users.ts'
import type { User } from '../store/users.ts'

interface Registration {
  username: string
  email: string
  password: string
  fullName: string | undefined
}

export interface Accounts {
  /**
   * A new user, of the role user. `admit` is asked before anything is done for a registration that could be one: its
   * password passes the policy.
   * @throws Problem validation_failed for a poor password; conflict when the username or the e-mail address is taken
   */
  register(registration: Registration, admit: () => Promise<void>): Promise<User>
  /**
   * A new session for the user of that username or e-mail address.
   * @throws Problem invalid_credentials, the same whether there is such a user or not, and whether it is disabled, the
   * password is wrong or too many were tried under both names together; rate_limited while the name or address is locked
   */
  logIn(name: string, password: string, address: string): Promise<OpenSession>
  /** The user who asks. @throws Problem not_found when it is gone */
  profile(principal: UserPrincipal): Promise<User>
}

export interface AccountsOptions {
  database: Database<Schema>
  passwords: Passwords
  policy: PasswordPolicy
  sessions: Pick<Sessions, 'open'>
  limits: Pick<Limits, 'allowsAttempt'>
  lockout: Pick<Lockout, 'attempt'>
}

/** One password is hashed on every way in, outside any transaction: no connection waits for it. */
export function createAccounts(options: AccountsOptions): Accounts {
  const { database, passwords, policy, sessions, limits, lockout } = options
  return {
    async register({ username, email, password, fullName = null }, admit) {
      policy.require(password, { username, email }, 'password')
      await admit()
      const passwordHash = await passwords.hash(password)
      try {
        return await database.withoutPrincipal(async (tx) => {
          const user = await insertUser(tx, { username, email, fullName, passwordHash })
          await recordAudit(tx, {
            action: 'user.register',
            resource: `user/${user.id}`,
            outcome: 'success',
            principal: justProved(user),
          })
          return user
        })
      } catch (error) {
        if (!isUniqueViolation(error)) throw error
        throw new Problem('conflict', 'The username or the e-mail address is taken.')
      }
    },

    async logIn(name, password, address) {
      const attempt = await lockout.attempt(name, address)
      const user = await database.withoutPrincipal((tx) => findUserByName(tx, name), { readOnly: true })
      // Asked of nobody too, and compared with nothing where it is locked: every way takes as long.
      const isAllowed = attempt.admitted && (await limits.allowsAttempt(user?.id ?? 'nobody'))
      const kept = isAllowed && user?.disabledAt === null ? user.passwordHash : undefined
      const isRight = await passwords.matches(kept, password)
      if (!attempt.admitted) {
        await recordFailure(database, user, 'locked')
        throw locked(attempt.retrySeconds)
      }
      if (!isRight || !user || kept === undefined) {
        // Before the answer, and also where nothing was compared because the allowance under both names is spent: a name
        // that does not lock would tell that it is one of two.
        await attempt.fail()
        await recordFailure(database, user)
        throw wrongPassword('The name or the password is wrong.')
      }
      const next = passwords.isOutdated(kept) ? await renewed(passwords, password) : undefined
      await attempt.succeed()
      const session = await database.withoutPrincipal(async (tx) => {
        // Changed while the hash was computed: the password that was right is not any more.
        if (!(await holdCredentials(tx, user))) return undefined
        if (next !== undefined) await replacePasswordHash(tx, user.id, { kept, next })
        const { id: userId, username, email, role, tier } = user
        const opened = await sessions.open(tx, { userId, username, email, role, tier })
        await recordAudit(tx, {
          action: 'session.login',
          resource: `session/${opened.id}`,
          outcome: 'success',
          principal: justProved(user),
        })
        return opened
      })
      if (!session) {
        await recordFailure(database, user, 'changed_meanwhile')
        throw wrongPassword('The name or the password is wrong.')
      }
      countEvent(METRIC.login, { [ATTRIBUTE.outcome]: 'success' })
      return session
    },

    async profile(principal) {
      const user = await database.withPrincipal(principal, (tx) => findUser(tx, principal.userId), {
        readOnly: true,
      })
      if (!user) throw new Problem('not_found', 'This user does not exist any more.')
      return user
    },
  }
}

/** 401 without RFC 6750's `error`, which would speak of a token that is at fault. */
export function wrongPassword(detail: string): Problem {
  return new Problem('invalid_credentials', detail, {
    headers: { 'WWW-Authenticate': 'Bearer realm="waybill"' },
  })
}

/** The same words as for a limit that is used up. */
export function locked(retrySeconds: number): Problem {
  countEvent(METRIC.lockout)
  return new Problem('rate_limited', 'Too many attempts. Try again later.', {
    headers: { 'Retry-After': String(retrySeconds) },
  })
}

/** A hash with the parameters of now; another day when too many are waiting. */
async function renewed(passwords: Passwords, password: string): Promise<string | undefined> {
  return passwords.hash(password).catch((error: unknown) => {
    if (error instanceof Problem && error.code === 'unavailable') return undefined
    throw error
  })
}

/** Not the name that was typed where there is no such user: people type their password there. */
async function recordFailure(
  database: Database<Schema>,
  user: User | undefined,
  reason?: 'locked' | 'changed_meanwhile',
): Promise<void> {
  countEvent(METRIC.login, { [ATTRIBUTE.outcome]: 'failure' })
  await database.withoutPrincipal((tx) =>
    recordAudit(tx, {
      action: 'session.login',
      resource: `user/${user?.id ?? 'unknown'}`,
      outcome: 'denied',
      details: { ...(reason && { reason }) },
    }),
  )
}
