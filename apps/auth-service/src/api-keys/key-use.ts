import type { Database } from '@waybill/database'
import { noteUse } from '../store/api-keys.ts'
import type { Schema } from '../store/schema.ts'

/** When API keys were last used: noted in memory where a request waits, and written down together, later. */
export interface KeyUse {
  /** Notes that a key is used now. */
  note(keyId: string): void
  /** Writes down what was noted. How many keys. */
  flush(): Promise<number>
}

export function createKeyUse(database: Database<Schema>, now: () => number): KeyUse {
  let used = new Map<string, Date>()
  return {
    note(keyId) {
      used.set(keyId, new Date(now()))
    },
    async flush() {
      if (used.size === 0) return 0
      const noted = used
      used = new Map()
      try {
        await database.withoutPrincipal((tx) => noteUse(tx, noted))
      } catch (error) {
        // Next time, unless the key has been used again since.
        used = new Map([...noted, ...used])
        throw error
      }
      return noted.size
    },
  }
}
