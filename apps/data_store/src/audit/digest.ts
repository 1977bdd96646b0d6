import { createHash } from 'node:crypto'

/**
 * SHA-256 of a JSON value as RFC 8785 writes it (members in the order of their names' UTF-16 units, no white space), in hex: what
 * the audit says of a filter or of a text that was searched for, in the place of what stands in it.
 */
export function digestOf(value: unknown): string {
  const hash = createHash('sha256')
  for (const text of canonicalJson(value)) hash.update(text)
  return hash.digest('hex')
}

/**
 * In pieces. Members that are undefined are left out, as JSON.stringify does. However deep it is: what is sent is digested
 * before anybody has looked at it, and must not use up the stack.
 */
function* canonicalJson(root: unknown): Generator<string, void, undefined> {
  const open: ({ text: string } | { value: unknown })[] = [{ value: root }]
  for (let next = open.pop(); next; next = open.pop()) {
    if ('text' in next) yield next.text
    else if (typeof next.value !== 'object' || next.value === null) yield JSON.stringify(next.value ?? null)
    else {
      const [first, parts, last] = Array.isArray(next.value)
        ? (['[', next.value.map((value: unknown) => ({ name: '', value })), ']'] as const)
        : (['{', membersOf(next.value), '}'] as const)
      yield first
      open.push({ text: last })
      for (const [at, { name, value }] of [...parts.entries()].reverse()) {
        open.push({ value }, { text: `${at > 0 ? ',' : ''}${name}` })
      }
    }
  }
}

function membersOf(object: object): { name: string; value: unknown }[] {
  return Object.entries(object)
    .filter(([, value]) => value !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => ({ name: `${JSON.stringify(name)}:`, value: value as unknown }))
}
