/** TypeScript's library does not know `JSON.rawJSON` yet, which Node 24 has. */
const { rawJSON } = JSON as JSON & { rawJSON: (text: string) => unknown }

/** A number of fewer digits, and without an exponent, is written again as it was read. */
const MAY_BE_INEXACT = /\d{16}|\d[eE]/

/**
 * Parses JSON so that `JSON.stringify` writes every number as it came: what a double cannot hold (a 64-bit integer of a
 * tool's arguments, say) is kept as text.
 * @throws SyntaxError
 */
export function parseExactly(text: string): unknown {
  if (!MAY_BE_INEXACT.test(text)) return JSON.parse(text)
  const keep = (_name: string, value: unknown, context?: { source?: string }): unknown => {
    if (typeof value !== 'number') return value
    const source = context?.source ?? ''
    return String(value) === source ? value : rawJSON(source)
  }
  return JSON.parse(text, keep)
}
