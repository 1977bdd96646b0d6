import { hasPermission } from '@waybill/auth'
import type { UserPrincipal } from '@waybill/service-kit'
import { LRUCache } from 'lru-cache'
import type { KeyCipher } from './cipher.ts'
import { customUrlNotAllowed, keyMissing } from './key-problems.ts'
import type { KeyStore, StoredKey } from './key-store.ts'
import type { KeyRing } from './open-key.ts'

export interface KeyRingOptions {
  store: Pick<KeyStore, 'list'>
  cipher: Pick<KeyCipher, 'open'>
  /** For how long a user's rows are kept, in milliseconds: so long another instance's change may go unnoticed here. 0 keeps none. */
  cacheMs: number
  /** Whose rows are kept at a time; those not asked for the longest go first. */
  maxUsers: number
}

export interface CachedKeyRing extends KeyRing {
  /** The user's keys have changed: they are read anew. */
  forget(userId: string): void
}

interface Held {
  readonly rows: Promise<readonly StoredKey[]>
  readonly at: number
}

/** A key that is missing may just have been added through another instance: rows older than this are read again, in milliseconds. */
const FRESH_MS = 1_000

/** The keys as calls need them. What is kept between calls is what the store has, sealed; each call opens the one that it uses. */
export function createKeyRing({ store, cipher, cacheMs, maxUsers }: KeyRingOptions): CachedKeyRing {
  const held = new LRUCache<string, Held>({ max: maxUsers })

  /** One reading at a time for a user; all who come meanwhile share it. */
  const read = (principal: UserPrincipal): Held => {
    const { userId } = principal
    const reading: Held = { rows: store.list(principal), at: performance.now() }
    held.set(userId, reading)
    return reading
  }

  const rowsOf = async (principal: UserPrincipal, oldestMs = cacheMs): Promise<readonly StoredKey[]> => {
    const known = held.get(principal.userId)
    if (!known || performance.now() - known.at > oldestMs) return read(principal).rows
    try {
      return await known.rows
    } catch {
      // It failed for another request, which may have been given up. The first who waited reads again, for all of them.
      const newer = held.get(principal.userId)
      return (newer && newer !== known ? newer : read(principal)).rows
    }
  }

  return {
    async open(principal, provider, key) {
      let rows = await rowsOf(principal)
      let row = pick(rows, provider, key)
      if (!row) {
        rows = await rowsOf(principal, Math.min(cacheMs, FRESH_MS))
        row = pick(rows, provider, key)
      }
      if (!row) {
        const hasOthers = rows.some((one) => one.provider === provider)
        throw keyMissing(provider, { asked: key !== undefined, hasOthers })
      }
      if (row.userId !== principal.userId) throw new Error(`The provider key ${row.id} is another user's.`)
      // Whoever may not name places any more has nothing sent to those that they named.
      if (row.baseUrl !== null && !hasPermission(principal.permissions, 'llm.custom_urls'))
        throw customUrlNotAllowed()
      const secret = cipher.open(row)
      const version = (row.rotatedAt ?? row.createdAt).toISOString()
      return { id: row.id, name: row.name, version, secret, baseUrl: row.baseUrl ?? undefined }
    },

    async providersOf(principal) {
      return [...new Set((await rowsOf(principal)).map(({ provider }) => provider))]
    },

    forget(userId) {
      held.delete(userId)
    },
  }
}

function pick(rows: readonly StoredKey[], provider: string, key: string | undefined): StoredKey | undefined {
  const ofProvider = rows.filter((row) => row.provider === provider)
  if (key === undefined) return ofProvider.find(({ isDefault }) => isDefault)
  return ofProvider.find(({ id, name }) => id === key || name === key)
}
