import { CsvError, parse } from 'csv-parse/sync'
import { ConversionError } from './conversion-error.ts'
import { decodeText } from './decode.ts'
import type { Document } from './document.ts'
import { padRows } from './grid.ts'

const DELIMITERS = [',', ';', '\t', '|', ':'] as const
const SNIFFED_CHARS = 64 * 1024
const SNIFFED_LINES = 50

/**
 * Reads delimited text as one table: the delimiter is the one that splits the first lines most evenly, rows of differing
 * length are padded (with a warning), quotes that do not pair up are read as text (with a warning).
 * @throws ConversionError `empty`, `too_large` (see padRows).
 */
export function readCsv(bytes: Uint8Array): Document {
  const { text, warnings } = decodeText(bytes)
  const { rows, strayQuotes } = parseRows(text, sniffDelimiter(text)?.delimiter ?? ',')
  if (strayQuotes) warnings.push('Quotes do not pair up; they were read as part of the text.')
  if (rows.length === 0) throw new ConversionError('empty', 'holds no rows')
  const padded = padRows(rows)
  const width = padded[0]?.length ?? 0
  if (rows.some((row) => row.length < width))
    warnings.push(`Rows differ in length; shorter ones were padded to ${String(width)} cells.`)
  return { blocks: [{ kind: 'table', rows: padded }], warnings }
}

/**
 * @returns the delimiter that splits the first lines into the same number of cells (two or more) most often, with the
 * share of lines that agree (0 to 1); undefined if none splits anything.
 */
export function sniffDelimiter(text: string): { delimiter: string; agreement: number } | undefined {
  const lines = unquoted(text.slice(0, SNIFFED_CHARS))
    .split(/\r\n|[\r\n]/)
    .filter((line) => line.trim() !== '')
    .slice(0, SNIFFED_LINES)
  let best: { delimiter: string; agreement: number; cells: number } | undefined
  for (const delimiter of DELIMITERS) {
    const counts = lines.map((line) => line.split(delimiter).length)
    const [cells, times] = mostFrequent(counts.filter((count) => count > 1))
    const agreement = times / lines.length
    if (
      times > 0 &&
      (!best || agreement > best.agreement || (agreement === best.agreement && cells > best.cells))
    )
      best = { delimiter, agreement, cells }
  }
  return best && { delimiter: best.delimiter, agreement: best.agreement }
}

/** Strictly first, so that well-formed quoting is never bent; the only complaint left with these options is about quotes. */
function parseRows(text: string, delimiter: string): { rows: string[][]; strayQuotes: boolean } {
  const options = { delimiter, relax_column_count: true, skip_empty_lines: true }
  for (const lenience of [{}, { relax_quotes: true }]) {
    try {
      return { rows: parse(text, { ...options, ...lenience }), strayQuotes: 'relax_quotes' in lenience }
    } catch (error) {
      if (!(error instanceof CsvError)) throw error
    }
  }
  return { rows: parse(text, { ...options, quote: null }), strayQuotes: true }
}

/** Delimiters and line ends within quotes do not count. */
function unquoted(text: string): string {
  return text.replace(/"(?:[^"]|"")*"/g, 'q')
}

function mostFrequent(values: readonly number[]): [value: number, times: number] {
  const tally = new Map<number, number>()
  for (const value of values) tally.set(value, (tally.get(value) ?? 0) + 1)
  return [...tally].reduce<[number, number]>((top, entry) => (entry[1] > top[1] ? entry : top), [0, 0])
}
