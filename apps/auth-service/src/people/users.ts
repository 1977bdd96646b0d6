import { recordAudit } from '@waybill/database'
import type { Database, Transaction } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import type { Lockout } from './lockout.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { countAdmins, listUsers, lockAdmins, updateUser } from '../store/managed-users.ts'
import type { UserFilter } from '../store/managed-users.ts'
import type { Schema, Tier } from '../store/schema.ts'
import { findUser } from '../store/users.ts'
import type { User } from '../store/users.ts'

/** A user as an administrator sees it. */
export interface ManagedUser extends User {
  lockedUntil: Date | null
}

export interface RequestedChange {
  role?: string | undefined
  tier?: Tier | undefined
  /** Null takes the user out of its tenant. */
  tenantId?: string | null | undefined
  disabled?: boolean | undefined
}

/** What administrators do with users. The database lets it pass only in the name of one who holds auth.admin. */
export interface Users {
  list(admin: UserPrincipal, filter: UserFilter): Promise<ManagedUser[]>
  /** @throws Problem not_found */
  get(admin: UserPrincipal, id: string): Promise<ManagedUser>
  /**
   * Changes a user; tokens in use are believed no more, and refreshing gives new ones that know of the change. A user
   * who is disabled loses every session.
   * @throws Problem not_found; conflict when no administrator would be left; unavailable when it takes too long
   */
  update(admin: UserPrincipal, id: string, change: RequestedChange): Promise<ManagedUser>
  /** Forgets the wrong passwords of a user. */
  unlock(admin: UserPrincipal, id: string): Promise<ManagedUser>
  /** Ends every session of a user. How many. */
  endSessions(admin: UserPrincipal, id: string): Promise<number>
}

export interface UsersOptions {
  database: Database<Schema>
  lockout: Pick<Lockout, 'unlock' | 'lockedUntil'>
  sessions: Pick<Sessions, 'endAll'>
  revocations: Pick<Revocations, 'recordUser'>
}

export function createUsers({ database, lockout, sessions, revocations }: UsersOptions): Users {
  const managed = async (users: readonly User[]): Promise<ManagedUser[]> => {
    const locks = await lockout.lockedUntil(users)
    return users.map((user) => ({ ...user, lockedUntil: locks.get(user.id) ?? null }))
  }
  const managedOne = async (user: User): Promise<ManagedUser> => {
    const locks = await lockout.lockedUntil([user])
    return { ...user, lockedUntil: locks.get(user.id) ?? null }
  }
  const find = async (tx: Transaction<Schema>, id: string): Promise<User> => {
    const user = await findUser(tx, id)
    if (!user) throw new Problem('not_found', 'There is no such user.')
    return user
  }

  return {
    list: async (admin, filter) =>
      managed(await database.withPrincipal(admin, (tx) => listUsers(tx, filter), { readOnly: true })),

    get: async (admin, id) =>
      managedOne(await database.withPrincipal(admin, (tx) => find(tx, id), { readOnly: true })),

    async update(admin, id, wanted) {
      const changed = await database.withPrincipal(admin, async (tx) => {
        // Held until the commit: of two who demote each other, the second sees what the first has done.
        await lockAdmins(tx)
        const before = await find(tx, id)
        const change = difference(before, wanted)
        const names = Object.keys(change)
        if (names.length === 0) return before
        await refuseLastAdmin(tx, before, change)
        const after = await updateUser(tx, id, withTime(change))
        if (!after) throw new Problem('not_found', 'There is no such user.')
        const ended = change.disabled === true ? await sessions.endAll(tx, id, 'disabled') : 0
        const recorded = await revocations.recordUser(tx, id)
        await recordAudit(tx, {
          action: 'user.update',
          resource: `user/${id}`,
          outcome: 'success',
          details: { ...named(change), ...(ended > 0 && { sessions_ended: ended }) },
        })
        recorded.refuseLate()
        return after
      })
      return managedOne(changed)
    },

    async unlock(admin, id) {
      const user = await database.withPrincipal(admin, (tx) => find(tx, id), { readOnly: true })
      // The locks are the service's own, which no principal sees; the audit still names the one who asks.
      await database.withoutPrincipal(async (tx) => {
        await lockout.unlock(tx, user)
        await recordAudit(tx, { action: 'user.unlock', resource: `user/${id}`, outcome: 'success' })
      })
      return managedOne(user)
    },

    endSessions: (admin, id) =>
      database.withPrincipal(admin, async (tx) => {
        await find(tx, id)
        const count = await sessions.endAll(tx, id, 'admin')
        await recordAudit(tx, {
          ...{ action: 'user.end_sessions', resource: `user/${id}`, outcome: 'success', details: { count } },
        })
        return count
      }),
  }
}

/** What of a change is one. */
function difference(before: User, { role, tier, tenantId, disabled }: RequestedChange): RequestedChange {
  return {
    ...(role !== undefined && role !== before.role && { role }),
    ...(tier !== undefined && tier !== before.tier && { tier }),
    ...(tenantId !== undefined && tenantId !== before.tenantId && { tenantId }),
    ...(disabled !== undefined && disabled !== (before.disabledAt !== null) && { disabled }),
  }
}

/** As the audit names it, and the API. */
function named({ tenantId, ...change }: RequestedChange) {
  return { ...change, ...(tenantId !== undefined && { tenant_id: tenantId }) }
}

function withTime({ role, tier, tenantId, disabled }: RequestedChange) {
  return {
    ...(role !== undefined && { role }),
    ...(tier !== undefined && { tier }),
    ...(tenantId !== undefined && { tenantId }),
    ...(disabled !== undefined && { disabledAt: disabled ? new Date() : null }),
  }
}

async function refuseLastAdmin(tx: Transaction<Schema>, before: User, change: RequestedChange) {
  const isAdmin = before.role === 'admin' && before.disabledAt === null
  const stays = (change.role ?? 'admin') === 'admin' && change.disabled !== true
  if (!isAdmin || stays || (await countAdmins(tx, before.id)) > 0) return
  throw new Problem('conflict', 'This is the last administrator. Make another one first.')
}
