import { Problem } from '@waybill/service-kit'
import { createCommonPasswords, folded } from './common-passwords.ts'

/** `asvs`: length and what everybody guesses (OWASP ASVS 5.0, 6.2). `seed`: that, and four kinds of character. */
export type PolicyName = 'asvs' | 'seed'

export interface PasswordPolicy {
  /**
   * Holds a password that is being chosen against the rules. `field` is the member of the body that it came in.
   * @throws Problem validation_failed, saying which rule, never quoting the password
   */
  require(password: string, owner: { username: string; email: string }, field: string): void
}

export interface PasswordPolicyOptions {
  policy: PolicyName
  /** In characters, not in bytes. */
  minLength: number
  /** Words that make no password better: the name of the product, say. */
  contextWords: readonly string[]
}

/** A name as short as this stands in many good passwords by chance. */
const SHORTEST_CONTEXT_WORD = 4

/**
 * Of different characters, in any password. This is about what is guessed first (ASVS 6.2.4), and asks for no kind of
 * character (6.2.5): `aaaaaaaa` is as long as it must be, stands in no list in all its lengths and letters, and costs
 * whoever guesses one attempt.
 */
const LEAST_VARIETY = 4

const COMPOSITION: readonly [RegExp, string][] = [
  [/\p{Lu}/u, 'must have an upper case letter'],
  [/\p{Ll}/u, 'must have a lower case letter'],
  [/\p{Nd}/u, 'must have a digit'],
  [/[^\p{L}\p{Nd}]/u, 'must have a character that is neither a letter nor a digit'],
]

export function createPasswordPolicy(options: PasswordPolicyOptions): PasswordPolicy {
  const { policy, minLength, contextWords } = options
  const common = createCommonPasswords()

  const fault = (password: string, owner: { username: string; email: string }): string | undefined => {
    if (lengthOf(password) < minLength) return `must have at least ${minLength} characters`
    if (policy === 'seed') {
      const missing = COMPOSITION.find(([pattern]) => !pattern.test(password))
      if (missing) return missing[1]
    }
    if (varietyOf(password) < LEAST_VARIETY) return `must have at least ${LEAST_VARIETY} different characters`
    if (common.includes(password)) return 'is one of the most common passwords'
    const words = [owner.email, owner.username, owner.email.split('@')[0] ?? '', ...contextWords]
    return lengthOf(without(folded(password), words)) < Math.min(minLength, MIN_REST)
      ? 'is little more than a name that everybody knows'
      : undefined
  }

  return {
    require(password, owner, field) {
      const message = fault(password, owner)
      if (message !== undefined) throw refusedPassword(field, message)
    },
  }
}

/** What has to be left of a password when the names that anybody would try are taken out of it. */
const MIN_REST = 6

/** In the form of every other field that is not as it must be. */
export function refusedPassword(field: string, message: string): Problem {
  return new Problem('validation_failed', `body.${field}: ${message}`, {
    extensions: { errors: [{ in: 'body', path: field, message }] },
  })
}

function without(password: string, words: readonly string[]): string {
  return words
    .map(folded)
    .filter((word) => word.length >= SHORTEST_CONTEXT_WORD)
    .reduce((rest, word) => rest.replaceAll(word, ''), password)
}

/** How many different characters a password has; a wide letter is the letter. */
function varietyOf(password: string): number {
  return new Set(password.normalize('NFKC')).size
}

function lengthOf(password: string): number {
  return Array.from(password.normalize('NFC')).length
}
