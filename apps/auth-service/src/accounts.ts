import { isUniqueViolation, recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import type { Limits } from './limits.ts'
import type { Passwords } from './passwords.ts'
import { justProved } from './principals.ts'
import type { OpenSession, Sessions } from './sessions.ts'
import type { Schema } from './store/schema.ts'
import { findUser, findUserByName, insertUser } from './store/users.ts'
import type { User } from './store/users.ts'

interface Registration {
  username: string
  email: string
  password: string
  fullName: string | undefined
}

export interface Accounts {
  /** A new user, of the role user. @throws Problem conflict when the username or the e-mail address is taken */
  register(registration: Registration): Promise<User>
  /**
   * A new session for the user of that username or e-mail address.
   * @throws Problem invalid_credentials, the same whether there is such a user or not, and whether the password is wrong
   * or too many were tried under both names together
   */
  logIn(name: string, password: string): Promise<OpenSession>
  /** The user who asks. @throws Problem not_found when it is gone */
  profile(principal: UserPrincipal): Promise<User>
}

export interface AccountsOptions {
  database: Database<Schema>
  passwords: Passwords
  sessions: Sessions
  limits: Pick<Limits, 'allowsAttempt'>
}

/** One password is hashed on every way in, outside any transaction: no connection waits for it. */
export function createAccounts({ database, passwords, sessions, limits }: AccountsOptions): Accounts {
  return {
    async register({ username, email, password, fullName = null }) {
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

    async logIn(name, password) {
      const user = await database.withoutPrincipal((tx) => findUserByName(tx, name), { readOnly: true })
      const isAllowed = user !== undefined && (await limits.allowsAttempt(user.id))
      const kept = isAllowed ? user.passwordHash : undefined
      if (!(await passwords.matches(kept, password)) || !user) {
        await recordFailure(database, user)
        throw new Problem('invalid_credentials', 'The name or the password is wrong.', {
          // RFC 6750's `error` would speak of a token, and none was sent.
          headers: { 'WWW-Authenticate': 'Bearer realm="waybill"' },
        })
      }
      return database.withoutPrincipal(async (tx) => {
        const { id: userId, username, email, role } = user
        const session = await sessions.open(tx, { userId, username, email, role })
        await recordAudit(tx, {
          action: 'session.login',
          resource: `session/${session.id}`,
          outcome: 'success',
          principal: justProved(user),
        })
        return session
      })
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

/** Not the name that was typed where there is no such user: people type their password there. */
async function recordFailure(database: Database<Schema>, user: User | undefined): Promise<void> {
  await database.withoutPrincipal((tx) =>
    recordAudit(tx, {
      action: 'session.login',
      resource: `user/${user?.id ?? 'unknown'}`,
      outcome: 'denied',
    }),
  )
}
