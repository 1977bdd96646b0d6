import { createHmac, hkdfSync } from 'node:crypto'
import type { Database, Transaction } from '@waybill/database'
import type { Secret } from '@waybill/service-kit'
import { comparableName } from './account-name.ts'
import { addressBlock } from '@waybill/service-kit'
import {
  countAttempt,
  deleteLocks,
  deleteOldLocks,
  listLocks,
  lockedForSeconds,
  takeBackFailure,
} from './store/login-locks.ts'
import type { LockRule } from './store/login-locks.ts'
import type { Schema } from './store/schema.ts'

/** One attempt to prove a password, counted as a failure until it is said to have succeeded, or not to have been made. */
export type Attempt =
  | { admitted: true; succeed(): Promise<void>; withdraw(): Promise<void> }
  | { admitted: false; retrySeconds: number }

/**
 * Locks that grow with wrong passwords and pass by themselves: per name, whether anybody has it or not, and per address.
 * Kept in the database, so that a restart forgets none, by HMAC: what was typed as a name may have been a password.
 */
export interface Lockout {
  /** Counts an attempt to log in, unless the name or the address is locked. */
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
    const retrySeconds = await database.withoutPrincipal(async (tx) => {
      // The address first: one that is locked spends nobody's attempts.
      if (!(await countAttempt(tx, place, byAddress))) return Math.max(1, await lockedForSeconds(tx, place))
      if (!(await countAttempt(tx, account, byName))) return Math.max(1, await lockedForSeconds(tx, account))
      return undefined
    })
    if (retrySeconds !== undefined) return { admitted: false, retrySeconds }
    return {
      admitted: true,
      succeed: () =>
        database.withoutPrincipal(async (tx) => {
          await takeBackFailure(tx, place)
          await deleteLocks(tx, [account])
        }),
      withdraw: () =>
        database.withoutPrincipal(async (tx) => {
          for (const key of [place, account]) await takeBackFailure(tx, key)
        }),
    }
  }

  return {
    attempt: (name, address) => attempt(nameKey(name), address),
    attemptAsUser: (userId, address) => attempt(keyOf('user', userId), address),
    async countFailure(name) {
      await database.withoutPrincipal((tx) => countAttempt(tx, nameKey(name), byName))
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

/** What `compare` says; where it cannot say (503), nothing was tried, and nothing is counted. */
export async function judged(attempt: Attempt, compare: () => Promise<boolean>): Promise<boolean> {
  try {
    return await compare()
  } catch (error) {
    // If that fails too it stays counted, which is the safe side.
    if (attempt.admitted) await attempt.withdraw().catch(() => undefined)
    throw error
  }
}
