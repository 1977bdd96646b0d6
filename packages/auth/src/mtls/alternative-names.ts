export interface AlternativeName {
  /** As OpenSSL prints it: `URI`, `DNS`, `IP Address`. */
  type: string
  value: string
}

/** A value with a comma or a quote is printed as a JSON string; one without is printed bare. */
const NAME = /([A-Za-z][A-Za-z ]*):(?:("(?:[^"\\]|\\.)*")|([^",\\]*))(?:, |$)/y

/**
 * The subject alternative names of a certificate from node's text of them; undefined when any part of it cannot be read.
 * A name that holds `, URI:spiffe://...` inside must not become two (CVE-2021-44532), so nothing is skipped or guessed.
 */
export function alternativeNames(text: string | undefined): AlternativeName[] | undefined {
  const names: AlternativeName[] = []
  if (text === undefined || text === '') return names
  const pattern = new RegExp(NAME)
  while (pattern.lastIndex < text.length) {
    const [, type, quoted, bare] = pattern.exec(text) ?? []
    if (type === undefined) return undefined
    const value = quoted === undefined ? bare : unquote(quoted)
    if (value === undefined) return undefined
    names.push({ type, value })
  }
  // A separator with nothing behind it is no list that node prints.
  return text.endsWith(', ') ? undefined : names
}

function unquote(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
