/**
 * Parses a JSON object and refuses what JSON.parse lets pass: a member that is named twice (the two readers of a token
 * could then see different claims), anything but one object, and text that is not valid UTF-8.
 * @throws SyntaxError
 */
export function parseStrictObject(bytes: Uint8Array): Record<string, unknown> {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SyntaxError('not a JSON object')
  refuseDuplicateMembers(text)
  return value as Record<string, unknown> // an object with string keys is all that the checks above leave
}

/** Looks at valid JSON only, so a string followed by a colon is always a member's name. */
function refuseDuplicateMembers(text: string): void {
  const open: Set<string>[] = []
  for (const [token, name] of text.matchAll(/("(?:[^"\\]|\\.)*")(?=\s*:)|"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (name !== undefined) {
      const key = JSON.parse(name) as string // the pattern matches one JSON string
      const members = open.at(-1)
      if (members?.has(key)) throw new SyntaxError('a member is named twice')
      members?.add(key)
    }
  }
}
