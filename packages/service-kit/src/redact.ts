const MASK = '[redacted]'

// Every pattern works in time linear in the line, which may hold what a stranger sent: it is tried only where a word
// begins, or its open end is bounded. A word also begins after an escape of JSON (\n) or of a URL (%20).
const beginning = (word: string): string =>
  String.raw`${word}(?<=(?:^|[^\w-]|\\[bfnrt]|%[0-9A-Fa-f]{2})${word})`
const NAME = String.raw`(?:passw(?:or)?d|passphrase|secret|token|authorization|cookie|api[-_]?key|private[-_]?key|credential|assertion)`
const STRING = String.raw`"(?:[^"\\]|\\.)*"`

/** What must never reach a log by its own form, whatever it stands in: tokens, keys, the passwords of URLs. */
const BY_FORM: readonly [RegExp, string][] = [
  [new RegExp(String.raw`${beginning('eyJ')}[\w-]{5,}(?:\.[\w-]*)+`, 'g'), MASK],
  [new RegExp(String.raw`${beginning('(?:wb|vllm|rt|sk|hf|gh[a-z]|sb_secret)[_-]')}[\w.-]{16,}`, 'g'), MASK],
  [new RegExp(String.raw`${beginning('AIza')}[\w-]{30,}`, 'g'), MASK],
  [new RegExp(String.raw`(Bearer|Basic)(?:\s|%20)+[\w~+/.=-]+`, 'gi'), `$1 ${MASK}`],
  [/(:\/\/[^:/@\s"]*:)[^@/\s"]+@/g, `$1${MASK}@`],
]

/** What stands under a name that says that it is a secret: a member, a member of JSON in a string, a form field. */
const BY_NAME: readonly [RegExp, string][] = [
  [
    new RegExp(String.raw`(${NAME}[^"\\]{0,20}"\s*:\s*)(?:${STRING}|\[(?:${STRING},?)*\])`, 'gi'),
    `$1"${MASK}"`,
  ],
  [
    new RegExp(String.raw`(${NAME}[^"\\]{0,20}\\"\s*:\s*\\")(?:[^"\\]|\\\\(?:\\["\\]|[^"\\]))+`, 'gi'),
    `$1${MASK}`,
  ],
  [new RegExp(String.raw`(${NAME}[\w.-]{0,20}=)[^&\s"'\\;,]+`, 'gi'), `$1${MASK}`],
]
const ANY_NAME = new RegExp(NAME, 'i')

/** The line with every credential in it replaced by `[redacted]`. */
export function redact(line: string): string {
  const patterns = ANY_NAME.test(line) ? [...BY_FORM, ...BY_NAME] : BY_FORM
  return patterns.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), line)
}
