import { inReadingOrder } from './pdf-columns.ts'

/** What is used of a pdf.js text item. Lengths are in points; `transform` is [a b c d x y]. */
interface Item {
  str: string
  dir: string
  width: number
  transform: number[]
  fontName: string
}

/** Text on one baseline without a wide gap. `y` grows upwards, as in PDF; `font` is a name without meaning. */
export interface Segment {
  text: string
  x: number
  right: number
  y: number
  size: number
  font: string
  rtl: boolean
}

/** A line of text of one column of one page. */
export type Line = Segment & { page: number }

type Glyphs = Segment

/** In ems. Words are about a quarter apart, in justified text up to one; columns and table cells more. */
const WORD_GAP = 0.12
const SEGMENT_GAP = 1.1
/** Super- and subscripts and fractions leave the baseline by less than this. */
const BASELINE_DRIFT = 0.45
/** A size of type counts for a line if this share of its characters has it. */
const SIZE_SHARE = 0.2
/** Rotated text (margins, watermarks) has no place among the lines. */
const MAX_SLANT = 0.2

/** @returns the lines of a page in reading order. */
export function toLines(items: readonly Item[], page: number): Line[] {
  const rows = toRows(items.flatMap(toGlyphs))
  const segments = rows.flatMap(toSegments)
  return inReadingOrder(segments).map((segment) => ({ ...segment, page }))
}

function toGlyphs(item: Item): Glyphs[] {
  const [a = 0, b = 0, c = 0, d = 0, x = 0, y = 0] = item.transform
  const text = item.str.replace(/[\u00ad]|(?![\u0080-\u009f])\p{Cc}/gu, '')
  if (text.trim() === '' || Math.abs(b) > MAX_SLANT * Math.abs(a) || a < 0) return []
  const size = Math.hypot(c, d)
  return [{ text, x, right: x + item.width, y, size, font: item.fontName, rtl: item.dir === 'rtl' }]
}

function toRows(glyphs: Glyphs[]): Glyphs[][] {
  const rows: { y: number; size: number; glyphs: Glyphs[] }[] = []
  for (const glyph of glyphs.toSorted((p, q) => q.y - p.y)) {
    const row = rows.at(-1)
    if (row && row.y - glyph.y < BASELINE_DRIFT * Math.max(row.size, glyph.size)) {
      row.glyphs.push(glyph)
      // The baseline is that of the largest type, not that of a superscript that happens to come first.
      if (glyph.size > row.size * 1.05) Object.assign(row, { y: glyph.y, size: glyph.size })
    } else rows.push({ y: glyph.y, size: glyph.size, glyphs: [glyph] })
  }
  return rows.map((row) => row.glyphs.toSorted((p, q) => p.x - q.x))
}

function toSegments(row: Glyphs[]): Segment[] {
  const groups: Glyphs[][] = []
  let right = 0
  for (const glyph of row) {
    const group = groups.at(-1)
    if (group && glyph.x - right < SEGMENT_GAP * glyph.size) group.push(glyph)
    else groups.push([glyph])
    right = Math.max(group ? right : 0, glyph.right)
  }
  return groups.map(toSegment)
}

function toSegment(group: Glyphs[]): Segment {
  const rtl = countChars(group.filter((glyph) => glyph.rtl)) * 2 > countChars(group)
  const largest = group.reduce((top, glyph) => (glyph.size > top.size ? glyph : top))
  const fonts = new Set(group.map((glyph) => glyph.font))
  return {
    text: joinWords(group, rtl),
    x: Math.min(...group.map((glyph) => glyph.x)),
    right: Math.max(...group.map((glyph) => glyph.right)),
    y: largest.y,
    size: typicalSize(group),
    font: fonts.size === 1 ? largest.font : '',
    rtl,
  }
}

function joinWords(group: Glyphs[], rtl: boolean): string {
  let text = ''
  let previous: Glyphs | undefined
  for (const glyph of rtl ? group.toReversed() : group) {
    const gap = previous ? (rtl ? previous.x - glyph.right : glyph.x - previous.right) : 0
    text += gap > WORD_GAP * glyph.size ? ` ${glyph.text}` : glyph.text
    previous = glyph
  }
  return text.replace(/\s+/g, ' ').trim()
}

/**
 * @returns the largest size, rounded to half a point, in which a good part of the text is set: neither a large initial nor a
 * line full of fractions changes what size the line is.
 */
function typicalSize(group: readonly Glyphs[]): number {
  // A bullet is often set larger than the text it stands before.
  const words = group.filter((glyph) => /[\p{L}\p{N}]/u.test(glyph.text))
  const counted = words.length > 0 ? words : group
  const tally = new Map<number, number>()
  for (const { text, size } of counted) {
    const rounded = Math.round(size * 2) / 2
    tally.set(rounded, (tally.get(rounded) ?? 0) + text.length)
  }
  const enough = countChars(counted) * SIZE_SHARE
  return Math.max(...[...tally].filter(([, chars]) => chars >= enough).map(([size]) => size))
}

function countChars(group: readonly Glyphs[]): number {
  return group.reduce((sum, glyph) => sum + glyph.text.length, 0)
}
