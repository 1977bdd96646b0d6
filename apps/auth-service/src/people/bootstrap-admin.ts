import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import { FatalStartError, Problem } from '@waybill/service-kit'
import type { Logger, Secret } from '@waybill/service-kit'
import type { PasswordPolicy } from './password-policy.ts'
import type { Passwords } from './passwords.ts'
import { ITSELF } from './principals.ts'
import { countAdmins, insertAdmin, lockAdmins } from '../store/managed-users.ts'
import type { Schema } from '../store/schema.ts'

export interface FirstAdmin {
  username: string
  email: string
  password: Secret
}

export interface BootstrapOptions {
  database: Database<Schema>
  passwords: Pick<Passwords, 'hash'>
  policy: PasswordPolicy
  admin: FirstAdmin
  log: Logger
}

/**
 * Makes the administrator of BOOTSTRAP_ADMIN_* where there is none yet; of several that start at once one does. Nobody
 * who is there already is changed: a name that is taken leaves everything as it is, and is logged.
 * @throws FatalStartError when the password is a poor one
 */
export async function bootstrapAdmin(options: BootstrapOptions): Promise<void> {
  const { database, passwords, policy, admin, log } = options
  const isThere = await database.withPrincipal(ITSELF, countAnyAdmins, { readOnly: true })
  if (isThere) return
  const { username, email, password } = admin
  requireGoodPassword(policy, admin)
  const passwordHash = await passwords.hash(password.reveal())
  const outcome = await database.withPrincipal(ITSELF, async (tx) => {
    await lockAdmins(tx)
    if (await countAnyAdmins(tx)) return 'there'
    const user = await insertAdmin(tx, { username, email, fullName: null, passwordHash })
    if (!user) return 'taken'
    await recordAudit(tx, {
      action: 'user.bootstrap_admin',
      resource: `user/${user.id}`,
      outcome: 'success',
      principal: ITSELF,
    })
    return 'made'
  })
  if (outcome === 'made') log.info({ username }, 'made the first administrator')
  if (outcome === 'taken')
    log.error(
      { username },
      'there is no administrator: BOOTSTRAP_ADMIN_USERNAME or _EMAIL is taken by a user',
    )
}

const countAnyAdmins = async (tx: Parameters<typeof countAdmins>[0]): Promise<boolean> =>
  (await countAdmins(tx)) > 0

function requireGoodPassword(policy: PasswordPolicy, { password, ...owner }: FirstAdmin): void {
  try {
    policy.require(password.reveal(), owner, 'password')
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    throw new FatalStartError(`BOOTSTRAP_ADMIN_PASSWORD is not good enough: ${error.message}`, {
      cause: error,
    })
  }
}
