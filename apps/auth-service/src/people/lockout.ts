import { createHmac, hkdfSync } from 'node:crypto'
import type { Database, Transaction } from '@waybill/database'
import type { Secret } from '@waybill/service-kit'
import { comparableName } from './account-name.ts'
import { addressBlock } from '@waybill/service-kit'
import {
  countFailure,
  deleteLocks,
  deleteOldLocks,
  listLocks,
  lockedForSeconds,
} from '../store/login-locks.ts'
import type { LockRule } from '../store/login-locks.ts'
import type { Schema } from '../store/schema.ts'

/** One attempt to prove a password, which counts by what comes of it: nothing when it was not compared (503). */
export type Attempt =
  | { admitted: true; succeed(): Promise<void>; fail(): Promise<void> }
  | { admitted: false; retrySeconds: number }

/**
 * Locks that grow with wrong passwords and pass by themselves: per name, whether anybody has it or not, and per address.
 * Kept in the database, so that a restart forgets none, by HMAC: what was typed as a name may have been a password.
 *
 * Only failures lead to a lock, so no number of right passwords at once does. The price: of wrong ones at once, those that
 * were let in before the lock are heard out. How many there can be is bounded before any is heard, by
 * LOGIN_LIMIT_PER_MINUTE for a name, and each of them makes the lock longer.
 */
export interface Lockout {
  /** Admits an attempt to log in, unless the name or the address is locked. */
  attempt(name: string, address: string): Promise<Attempt>
  /** The same for a user who is logged in and changes the password: what others do to the name is no hindrance. */
  attemptAsUser(userId: string, address: string): Promise<Attempt>
  /** Counts a wrong password against a name, without asking whether it is locked. */
  countFailure(name: string): Promise<void>
  /** Forgets the wrong passwords of a user. */
  unlock(tx: Transaction<Schema>, user: LockedUser): Promise<void>
  /** Until when each of these users is locked, under either name, by id; those who are not are left out. */
  lockedUntil(users: readonly LockedUser[]): Promise<ReadonlyMap<string, Date>>
  /** Removes what is forgotten anyway. How many rows. */
  sweep(): Promise<number>
}

export interface LockedUser {
  id: string
  username: string
  email: string
}

export interface LockoutOptions {
  database: Database<Schema>
  /** 32 bytes in base64, from which a key of its own is derived (HKDF, RFC 5869). */
  encryptionKey: Secret
  byName: LockRule
  byAddress: LockRule
}

export function createLockout({ database, encryptionKey, byName, byAddress }: LockoutOptions): Lockout {
  const input = Buffer.from(encryptionKey.reveal(), 'base64')
  const secret = Buffer.from(hkdfSync('sha256', input, '', 'waybill/login-lock', 32))
  const keyOf = (kind: 'name' | 'address' | 'user', text: string): Buffer =>
    createHmac('sha256', secret).update(`${kind}:${text}`).digest()
  const nameKey = (name: string): Buffer => keyOf('name', comparableName(name))
  const keysOf = ({ id, username, email }: LockedUser): Buffer[] => [
    nameKey(username),
    nameKey(email),
    keyOf('user', id),
  ]

  const attempt = async (account: Buffer, address: string): Promise<Attempt> => {
    const place = keyOf('address', addressBlock(address))
    const retrySeconds = await database.withoutPrincipal((tx) => lockedForSeconds(tx, [place, account]), {
      readOnly: true,
    })
    if (retrySeconds > 0) return { admitted: false, retrySeconds }
    return {
      admitted: true,
      succeed: () => database.withoutPrincipal((tx) => deleteLocks(tx, [account])),
      fail: () =>
        database.withoutPrincipal(async (tx) => {
          await countFailure(tx, place, byAddress)
          await countFailure(tx, account, byName)
        }),
    }
  }

  return {
    attempt: (name, address) => attempt(nameKey(name), address),
    attemptAsUser: (userId, address) => attempt(keyOf('user', userId), address),
    async countFailure(name) {
      await database.withoutPrincipal((tx) => countFailure(tx, nameKey(name), byName))
    },
    unlock: (tx, user) => deleteLocks(tx, keysOf(user)),
    async lockedUntil(users) {
      const owners = new Map(
        users.flatMap((user) => keysOf(user).map((key) => [key.toString('hex'), user.id] as const)),
      )
      const keys = [...owners.keys()].map((key) => Buffer.from(key, 'hex'))
      const locks = await database.withoutPrincipal((tx) => listLocks(tx, keys), { readOnly: true })
      const until = new Map<string, Date>()
      for (const { key, lockedUntil } of locks) {
        const id = owners.get(key.toString('hex')) ?? ''
        const known = until.get(id)
        if (!known || known < lockedUntil) until.set(id, lockedUntil)
      }
      return until
    },
    sweep: () =>
      database.withoutPrincipal((tx) =>
        deleteOldLocks(tx, Math.max(byName.forgetSeconds, byAddress.forgetSeconds)),
      ),
  }
}
