import { Problem } from '@waybill/service-kit'
import type { KeyCipher, KeyIdentity } from './cipher.ts'

export type SealedRow = KeyIdentity & { sealed: Buffer; kek: string }

/** All keys of all users, for a command of the operator. */
export interface SealedRows {
  /** Those after the id, in their order. @throws Problem */
  page(after: string, most: number): Promise<SealedRow[]>
  /**
   * Puts `renewed` in the place of what `row` has, with a row in the audit; false when that is not there any more, because the user has
   * rotated or deleted the key meanwhile, or another run was faster. @throws Problem
   */
  replace(row: SealedRow, renewed: { sealed: Buffer; kek: string }): Promise<boolean>
}

export interface Reencryption {
  /** How many are sealed under the first version now that were not. */
  renewed: number
  /** How many there are in all. */
  all: number
  /** The ids of those that could not be opened, and are as they were. */
  unopened: string[]
}

const FIRST = '00000000-0000-0000-0000-000000000000'
const BATCH = 200

/**
 * Seals every key anew under the first version, where it is under another one, and opens the others to see that they can be. A
 * service and other runs may be at work meanwhile: it looks again until there is nothing left to do.
 * @throws Problem when the store cannot be reached; what was done stays done
 */
export async function reencryptKeys(rows: SealedRows, cipher: KeyCipher): Promise<Reencryption> {
  let renewed = 0
  for (;;) {
    const pass = await onePass(rows, cipher)
    renewed += pass.renewed
    if (pass.renewed === 0 && pass.missed === 0) return { renewed, all: pass.all, unopened: pass.unopened }
  }
}

async function onePass(rows: SealedRows, cipher: KeyCipher) {
  const pass = { renewed: 0, missed: 0, all: 0, unopened: [] as string[] }
  let after = FIRST
  for (;;) {
    const batch = await rows.page(after, BATCH)
    const last = batch.at(-1)
    if (!last) return pass
    after = last.id
    pass.all += batch.length
    for (const row of batch) {
      const secret = opened(cipher, row)
      if (!secret) pass.unopened.push(row.id)
      else if (!cipher.isCurrent(row)) {
        if (await rows.replace(row, cipher.seal(row, secret))) pass.renewed += 1
        else pass.missed += 1
      }
    }
  }
}

function opened(cipher: KeyCipher, row: SealedRow) {
  try {
    return cipher.open(row)
  } catch (error) {
    if (error instanceof Problem) return undefined
    throw error
  }
}
