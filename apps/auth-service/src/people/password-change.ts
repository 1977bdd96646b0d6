import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import { locked, wrongPassword } from './accounts.ts'
import type { Lockout } from './lockout.ts'
import { refusedPassword } from './password-policy.ts'
import type { PasswordPolicy } from './password-policy.ts'
import type { Passwords } from './passwords.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { keepFormerHash, listFormerHashes } from '../store/password-history.ts'
import type { Schema } from '../store/schema.ts'
import { findUser, findPasswordHash, replacePasswordHash } from '../store/users.ts'

/**
 * Changes the password of the principal, who knows the current one. `address`: where the request comes from.
 * @throws Problem invalid_credentials, rate_limited, validation_failed; conflict when it is changed at the same time
 */
export type PasswordChange = (
  principal: UserPrincipal,
  change: { current: string; next: string; address: string },
) => Promise<void>

export interface PasswordChangeOptions {
  database: Database<Schema>
  passwords: Passwords
  policy: PasswordPolicy
  sessions: Pick<Sessions, 'endAll'>
  lockout: Pick<Lockout, 'attemptAsUser' | 'countFailure'>
  /** How many passwords of the user, the current one included, may not be chosen again. */
  history: number
}

/**
 * Changes a password. Nothing is said of the new one before the current one has been proved, which takes one hash
 * whatever comes of it. Every other session of the user ends; API keys stay.
 */
export function createPasswordChange(options: PasswordChangeOptions): PasswordChange {
  const { database, passwords, policy, sessions, lockout, history } = options

  const wasUsed = async (userId: string, next: string): Promise<boolean> => {
    if (history < 2) return false
    const former = await database.withoutPrincipal((tx) => listFormerHashes(tx, userId, history - 1), {
      readOnly: true,
    })
    for (const hash of former) if (await passwords.matches(hash, next)) return true
    return false
  }

  return async (principal, { current, next, address }) => {
    const { userId } = principal
    const attempt = await lockout.attemptAsUser(userId, address)
    const user = await database.withPrincipal(principal, (tx) => findUser(tx, userId), { readOnly: true })
    const kept = attempt.admitted
      ? await database.withoutPrincipal((tx) => findPasswordHash(tx, userId), { readOnly: true })
      : undefined
    const isRight = await passwords.matches(kept, current)
    if (!attempt.admitted) {
      await recordDenial(database, userId)
      throw locked(attempt.retrySeconds)
    }
    if (!isRight || kept === undefined || !user) {
      await attempt.fail()
      if (user) await lockout.countFailure(user.username)
      await recordDenial(database, userId)
      throw wrongPassword('The current password is wrong.')
    }
    await attempt.succeed()
    policy.require(next, user, 'new_password')
    if (next.normalize('NFC') === current.normalize('NFC'))
      throw refusedPassword('new_password', 'is the current password')
    if (await wasUsed(userId, next)) throw refusedPassword('new_password', 'was used before')
    const hash = await passwords.hash(next)
    await database.withoutPrincipal(async (tx) => {
      if (!(await replacePasswordHash(tx, userId, { kept, next: hash, isChange: true })))
        throw new Problem('conflict', 'The password was changed at the same time.')
      await keepFormerHash(tx, userId, kept, Math.max(0, history - 1))
      const ended = await sessions.endAll(tx, userId, 'password_change', principal.sessionId)
      await recordAudit(tx, {
        action: 'user.password_change',
        resource: `user/${userId}`,
        outcome: 'success',
        details: { sessions_ended: ended },
      })
    })
  }
}

async function recordDenial(database: Database<Schema>, userId: string): Promise<void> {
  await database.withoutPrincipal((tx) =>
    recordAudit(tx, { action: 'user.password_change', resource: `user/${userId}`, outcome: 'denied' }),
  )
}
