/**
 * Members of `data` in fields of their own, so that people who work in FileMaker see and edit them. `data` has every member all the
 * same: its value holds as long as the field says what it would be written as; when the field says something else, somebody
 * has edited it.
 */

/** What a member is in FileMaker: text, number, or 1 and 0; empty where a field could not hold just that. */
export function toNative(value: unknown): string | number {
  if (typeof value === 'string') return UNKEPT.test(value) ? '' : value
  if (typeof value === 'boolean') return value ? 1 : 0
  // FileMaker counts in decimal digits: those that a double has for certain.
  if (typeof value === 'number') return Number(value.toPrecision(15)) === value ? value : ''
  return ''
}

/** Line breaks become carriage returns in FileMaker, and control characters may not survive. */
const UNKEPT = /(?![\t\n])[\p{Cc}\u2028\u2029]/u

export type MemberType = 'string' | 'number' | 'boolean' | undefined

/**
 * The member: `kept` from `data`, unless the field was edited. An emptied text is an empty text; an emptied number or boolean is
 * not there (undefined). `type` is what the collection's schema says, for a member that there was not.
 */
export function fromNative(kept: unknown, field: unknown, type: MemberType): unknown {
  if (typeof field !== 'string' && typeof field !== 'number') return kept
  if (isSame(toNative(kept), field)) return kept
  const wanted = typeOf(kept) ?? type ?? typeOf(field)
  const text = String(field).replace(/\r\n?/g, '\n')
  if (wanted === 'string') return text
  if (text.trim() === '') return undefined
  const number = Number(text)
  if (Number.isNaN(number)) return text
  return wanted === 'boolean' ? number !== 0 : number
}

function typeOf(value: unknown): MemberType {
  const type = typeof value
  return type === 'string' || type === 'number' || type === 'boolean' ? type : undefined
}

function isSame(written: string | number, field: string | number): boolean {
  const one = plain(written)
  const other = plain(field)
  // `007` in a field for numbers comes back as 7.
  return (
    one === other ||
    (one !== '' && other !== '' && typeof written !== typeof field && Number(one) === Number(other))
  )
}

function plain(value: string | number): string {
  return String(value).replace(/\r\n?/g, '\n').normalize('NFC')
}
