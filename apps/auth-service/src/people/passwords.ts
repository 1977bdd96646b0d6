import { randomBytes } from 'node:crypto'
import { hash, parseOptions, verify } from '@node-rs/argon2'
import { requestContext } from '@waybill/service-kit'
import { SPAN, withSpan } from '@waybill/telemetry'
import type { Semaphore } from './semaphore.ts'

export interface HashParameters {
  memoryKib: number
  passes: number
  lanes: number
}

export interface Passwords {
  /** The PHC string to keep for `password`. @throws Problem unavailable (503) when too many are being hashed */
  hash(password: string): Promise<string>
  /**
   * Whether `password` is the one that `kept` was made from. Without `kept` it is compared with nothing in particular,
   * at the same cost, and never matches: nobody can tell from the time whether there is such an account.
   * @throws Problem unavailable (503) when too many are being hashed
   */
  matches(kept: string | undefined, password: string): Promise<boolean>
  /** Whether `kept` was made with other parameters than those of now. */
  isOutdated(kept: string): boolean
}

const OUTPUT_BYTES = 32
const SALT_BYTES = 16

/** argon2id, one hash for every call, only as many at a time as `semaphore` lets through. */
export function createPasswords(semaphore: Semaphore, parameters: HashParameters): Passwords {
  const { memoryKib: memoryCost, passes: timeCost, lanes: parallelism } = parameters
  const decoy = decoyHash(parameters)
  const work = <T>(compute: () => Promise<T>): Promise<T> =>
    withSpan(SPAN.passwordHash, {}, () =>
      semaphore.run(() => {
        // Who has gone away while waiting is not worth ten milliseconds of a core.
        requestContext()?.signal.throwIfAborted()
        return compute()
      }),
    )
  return {
    hash: (password) =>
      work(() => hash(normal(password), { memoryCost, timeCost, parallelism, outputLen: OUTPUT_BYTES })),
    async matches(kept, password) {
      const equal = await work(() => verify(kept ?? decoy, normal(password)))
      return equal && kept !== undefined
    },
    isOutdated(kept) {
      const made = parseOptions(kept)
      return made.memoryCost !== memoryCost || made.timeCost !== timeCost || made.parallelism !== parallelism
    },
  }
}

/** Keyboards write `é` as one character or as two; both are the same password (RFC 8265 section 4.2). */
function normal(password: string): string {
  return password.normalize('NFC')
}

/** Looks like the hash of a password, with the parameters of today, and is random: no password is known to match. */
function decoyHash({ memoryKib, passes, lanes }: HashParameters): string {
  const [salt, digest] = [SALT_BYTES, OUTPUT_BYTES].map((bytes) =>
    randomBytes(bytes).toString('base64').replace(/=+$/, ''),
  )
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${String(salt)}$${String(digest)}`
}
