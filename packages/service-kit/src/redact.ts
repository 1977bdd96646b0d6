const MASK = '[redacted]'

/**
 * What must never reach a log, as it looks inside a JSON line: tokens and keys by their own form, and any string
 * member whose name says that it is a secret.
 */
const PATTERNS: readonly [RegExp, string][] = [
  [/eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?/g, MASK],
  [/\b(?:wb|vllm|rt|sk|sb_secret)_[\w-]{16,}/g, MASK],
  [/\b(Bearer|Basic)\s+[\w~+/.=-]+/gi, `$1 ${MASK}`],
  [/(:\/\/[^:/@\s"]+:)[^@/\s"]+@/g, `$1${MASK}@`],
  [
    /("[^"\\]{0,40}(?:password|passwd|secret|token|authorization|cookie|api[-_]?key|credential)[^"\\]{0,20}"\s*:\s*)"(?:[^"\\]|\\.)*"/gi,
    `$1"${MASK}"`,
  ],
]

/** The line with every credential in it replaced by `[redacted]`. */
export function redact(line: string): string {
  return PATTERNS.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), line)
}
