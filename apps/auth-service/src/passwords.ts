import { randomBytes } from 'node:crypto'
import { hash, verify } from '@node-rs/argon2'
import { requestContext } from '@waybill/service-kit'
import { SPAN, withSpan } from '@waybill/telemetry'
import type { Semaphore } from './semaphore.ts'

/** The argon2id of OWASP's password storage recommendation: 19 MiB (in KiB here), two passes, one lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 } as const

export interface Passwords {
  /** The PHC string to keep for `password`. @throws Problem unavailable (503) when too many are being hashed */
  hash(password: string): Promise<string>
  /**
   * Whether `password` is the one that `kept` was made from. Without `kept` it is compared with nothing in particular,
   * at the same cost, and never matches: nobody can tell from the time whether there is such an account.
   * @throws Problem unavailable (503) when too many are being hashed
   */
  matches(kept: string | undefined, password: string): Promise<boolean>
}

/** argon2id, one hash for every call, only as many at a time as `semaphore` lets through. */
export function createPasswords(semaphore: Semaphore): Passwords {
  const decoy = decoyHash()
  const work = <T>(compute: () => Promise<T>): Promise<T> =>
    withSpan(SPAN.passwordHash, {}, () =>
      semaphore.run(() => {
        // Who has gone away while waiting is not worth ten milliseconds of a core.
        requestContext()?.signal.throwIfAborted()
        return compute()
      }),
    )
  return {
    hash: (password) => work(() => hash(normal(password), PARAMETERS)),
    async matches(kept, password) {
      const equal = await work(() => verify(kept ?? decoy, normal(password)))
      return equal && kept !== undefined
    },
  }
}

/** Keyboards write `é` as one character or as two; both are the same password (RFC 8265 section 4.2). */
function normal(password: string): string {
  return password.normalize('NFC')
}

/** Looks like the hash of a password, with the parameters of today, and is random: no password is known to match. */
function decoyHash(): string {
  const { memoryCost, timeCost, parallelism, outputLen } = PARAMETERS
  const [salt, digest] = [16, outputLen].map((bytes) =>
    randomBytes(bytes).toString('base64').replace(/=+$/, ''),
  )
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${String(salt)}$${String(digest)}`
}
