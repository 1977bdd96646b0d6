/**
 * Find criteria as FileMaker Pro reads them ("Find operators" in Claris' help). Text is compared without regard to case, accents
 * and width, as fields are that FileMaker indexes in a language.
 */

/** A value that can be searched. */
export interface Searched {
  /** As it is kept. */
  value: string
  /** The same by `fold`. */
  folded: string
}

export type FieldType = 'text' | 'number'

/** Whether a value is found. `duplicated` tells whether another record has the same one. */
export type Criterion = (searched: Searched, duplicated: () => boolean) => boolean

/** What FileMaker compares instead of the text itself. */
export function fold(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
}

type Wild = 'many' | 'one' | 'digit'
interface Part {
  /** A character to be taken as it is, or undefined. */
  literal?: string
  wild?: Wild
  /** The operator character, where it is one that was not escaped. */
  operator?: string
}

const WILD: Record<string, Wild> = { '*': 'many', '@': 'one', '#': 'digit' }
const COMPARISONS = ['<=', '>=', '≤', '≥', '<', '>'] as const
const RANGE = /\\.|(\.\.\.?|…)/gsu

/** The meaning of a criterion in a field of that type. `today` is for `//`. */
export function readCriterion(text: string, type: FieldType, today: Date): Criterion {
  if (text === '//') return whole(parts(usDate(today)))
  if (text === '?') return ({ value }) => type === 'number' && value !== '' && Number.isNaN(Number(value))
  if (text === '!') return ({ value }, duplicated) => value !== '' && duplicated()
  if (text === '=' || text === '==') return ({ value }) => value === ''
  const bounds = rangeOf(text)
  if (bounds) {
    const [from, to] = bounds.map((bound) => literalOf(bound.replace(/^=+/, '')))
    return (searched) =>
      searched.value !== '' &&
      compare(searched, from ?? '', type) >= 0 &&
      compare(searched, to ?? '', type) <= 0
  }
  const comparison = COMPARISONS.find((operator) => text.startsWith(operator))
  if (comparison) return compared(comparison, literalOf(text.slice(comparison.length)), type)
  if (text.startsWith('==')) return whole(parts(text.slice(2)))
  if (type === 'number') return numeric(text)
  if (text.startsWith('=')) return words(text.slice(1), '$')
  if (text.startsWith('*"')) return phrase(text.slice(2), '')
  if (text.startsWith('"')) return phrase(text.slice(1), '(?:^|[^\\p{L}\\p{N}])')
  return words(text.replace(/^~/, ''), '')
}

/** The two ends, when the criterion has a range operator that is not escaped. */
function rangeOf(text: string): [string, string] | undefined {
  for (const match of text.matchAll(RANGE)) {
    if (match[1] !== undefined) return [text.slice(0, match.index), text.slice(match.index + match[1].length)]
  }
  return undefined
}

function parts(text: string): Part[] {
  const found: Part[] = []
  const characters = Array.from(text)
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? ''
    const wild = WILD[character]
    if (character === '\\' && at + 1 < characters.length) found.push({ literal: characters[(at += 1)] ?? '' })
    else if (wild !== undefined) found.push({ wild })
    // Quotation marks and the relaxed search are operators wherever they stand.
    else if (character === '"' || character === '~') found.push({ operator: character })
    else found.push({ literal: character })
  }
  return found
}

function literalOf(text: string): string {
  return parts(text)
    .map(({ literal = '' }) => literal)
    .join('')
}

function pattern(list: readonly Part[]): string {
  return list
    .map(({ literal, wild }, at) => {
      if (wild === 'many') return list[at - 1]?.wild === 'many' ? '' : '.*'
      if (wild === 'one') return '.'
      if (wild === 'digit') return '\\d'
      return literal === undefined ? '' : quoted(fold(literal))
    })
    .join('')
}

/** As a part of a regular expression that stands for itself. */
function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

/** The entire field. */
function whole(list: readonly Part[]): Criterion {
  if (list.every(({ wild }) => wild === undefined)) {
    const wanted = fold(list.map(({ literal = '' }) => literal).join(''))
    return ({ folded }) => folded === wanted
  }
  const regex = new RegExp(`^${pattern(list)}$`, 'su')
  // What is empty is found by = alone.
  return ({ folded }) => folded !== '' && regex.test(folded)
}

/** Every word of the criterion is a word of the field, or with `end` empty the beginning of one. */
function words(text: string, end: '' | '$'): Criterion {
  const list = parts(text)
  if (list.length > 0 && list.every(({ wild }) => wild === 'many')) return ({ value }) => value !== ''
  const wanted = splitWords(list).map((word) => new RegExp(`^${pattern(word)}${end}`, 'su'))
  return ({ folded }) => {
    if (wanted.length === 0) return false
    const has = folded.split(/[^\p{L}\p{N}.'-]+/u).filter(Boolean)
    return wanted.every((regex) => has.some((word) => regex.test(word)))
  }
}

/** Whatever is no letter, digit or operator separates words, in the criterion as in the field; escaped or not. */
function splitWords(list: readonly Part[]): Part[][] {
  const found: Part[][] = [[]]
  for (const part of list) {
    if (part.literal === undefined || /[\p{L}\p{N}.'-]/u.test(part.literal)) found.at(-1)?.push(part)
    else found.push([])
  }
  return found.filter((word) => word.some(({ operator }) => operator === undefined))
}

function phrase(text: string, before: string): Criterion {
  const wanted = literalOf(text.replace(/"[^"]*$/, ''))
  const regex = new RegExp(`${before}${quoted(fold(wanted))}`, 'su')
  return ({ folded }) => regex.test(folded)
}

function numeric(text: string): Criterion {
  if (/^\**$/.test(text)) return ({ value }) => value !== ''
  const wanted = Number(literalOf(text.replace(/^=/, '')))
  return ({ value }) => value !== '' && Number(value) === wanted
}

function compared(operator: (typeof COMPARISONS)[number], wanted: string, type: FieldType): Criterion {
  return (searched) => {
    if (searched.value === '') return false
    const difference = compare(searched, wanted, type)
    if (operator === '<') return difference < 0
    if (operator === '>') return difference > 0
    return operator === '<=' || operator === '≤' ? difference <= 0 : difference >= 0
  }
}

function compare({ value, folded }: Searched, wanted: string, type: FieldType): number {
  if (type === 'number') return Number(value) - Number(wanted)
  const other = fold(wanted)
  return folded < other ? -1 : folded > other ? 1 : 0
}

/** As FileMaker has dates in the United States. */
function usDate(date: Date): string {
  const two = (number: number) => String(number).padStart(2, '0')
  return `${two(date.getMonth() + 1)}/${two(date.getDate())}/${String(date.getFullYear())}`
}
