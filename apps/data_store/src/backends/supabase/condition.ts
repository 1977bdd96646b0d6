/** A condition in the words of PostgREST's `and=(...)`: text, or known beforehand to be always or never true. */
export interface Condition {
  text: string | boolean
  /** Whether it is true for those records only that were asked for; else for others too, never for fewer. */
  exact: boolean
}

export const ALWAYS: Condition = { text: true, exact: true }
export const NEVER: Condition = { text: false, exact: true }
/** What PostgREST cannot say: every record has to be looked at. */
export const UNKNOWN: Condition = { text: true, exact: false }

/** Every condition is true or false for every record, never null: else `not` would lose records. */
export function exactly(text: string): Condition {
  return { text, exact: true }
}

export function constant(value: boolean): Condition {
  return value ? ALWAYS : NEVER
}

export function allOf(parts: readonly Condition[]): Condition {
  if (parts.some(({ text }) => text === false)) return NEVER
  return joined('and', parts, true)
}

export function anyOf(parts: readonly Condition[]): Condition {
  if (parts.some(({ text, exact }) => text === true && exact)) return ALWAYS
  if (parts.some(({ text }) => text === true)) return UNKNOWN
  return joined('or', parts, false)
}

function joined(operator: 'and' | 'or', parts: readonly Condition[], neutral: boolean): Condition {
  const texts = parts.map(({ text }) => text).filter((text) => typeof text === 'string')
  const exact = parts.every((part) => part.exact)
  if (texts.length === 0) return { text: neutral, exact }
  return { text: texts.length === 1 ? (texts[0] ?? '') : `${operator}(${texts.join(',')})`, exact }
}

/** Of what is too wide nothing can be excluded. */
export function not({ text, exact }: Condition): Condition {
  if (!exact) return UNKNOWN
  return typeof text === 'boolean' ? constant(!text) : exactly(`not.and(${text})`)
}

/** A value as it stands in a condition, whatever is in it: commas, brackets, quotes. */
export function quoted(value: string): string {
  return `"${value.replace(/[\\"]/g, '\\$&')}"`
}

/** A text as it stands in a pattern of `like`. A `*` in it stays one, which PostgREST reads as anything: see isPlainPattern. */
export function pattern(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&')
}

/** Whether `pattern` means just the text. */
export function isPlainPattern(text: string): boolean {
  return !text.includes('*')
}
