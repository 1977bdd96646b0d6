import type { Segment } from './pdf-lines.ts'

/** Prose on both sides makes columns; short texts beside each other are a table, read row by row. */
const MIN_LINES_PER_COLUMN = 4
const MIN_CHARS_PER_LINE = 18
/** Headings, captions and figures may cross the gutter; where much does, it is none. */
const MAX_CROSSING_SHARE = 0.3
const MAX_SPLITS = 4
const SAME_ROW = 0.5

/**
 * Orders a page's segments (sorted from top to bottom) as they are read: column after column, interrupted by whatever
 * spans the columns; the segments of one row within a column become one line.
 */
export function inReadingOrder(segments: readonly Segment[], splits = 0): Segment[] {
  const gutter = splits < MAX_SPLITS ? findGutter(segments) : undefined
  if (gutter === undefined) return joinRows(segments)
  const ordered: Segment[] = []
  let left: Segment[] = []
  let right: Segment[] = []
  let spanning: Segment[] = []
  const flushColumns = () => {
    ordered.push(...inReadingOrder(left, splits + 1), ...inReadingOrder(right, splits + 1))
    left = []
    right = []
  }
  for (const segment of segments) {
    if (crosses(segment, gutter)) {
      flushColumns()
      spanning.push(segment)
      continue
    }
    ordered.push(...joinRows(spanning))
    spanning = []
    ;(segment.right <= gutter + 1 ? left : right).push(segment)
  }
  flushColumns()
  return [...ordered, ...joinRows(spanning)]
}

/** @returns the x (points) that fewest segments cross, if there is prose on both sides of it. */
function findGutter(segments: readonly Segment[]): number | undefined {
  if (segments.length < 2 * MIN_LINES_PER_COLUMN) return undefined
  let best: { x: number; crossing: number } | undefined
  for (const x of new Set(segments.map((segment) => Math.ceil(segment.right)))) {
    const crossing = segments.filter((segment) => crosses(segment, x))
    if (best && crossing.length >= best.crossing) continue
    if (crossing.length > segments.length * MAX_CROSSING_SHARE) continue
    const left = segments.filter((segment) => segment.right <= x + 1)
    const right = segments.filter((segment) => segment.x >= x - 1 && segment.right > x + 1)
    if (isProse(left) && isProse(right)) best = { x, crossing: crossing.length }
  }
  return best?.x
}

function crosses(segment: Segment, x: number): boolean {
  return segment.x < x - 1 && segment.right > x + 1
}

function isProse(column: readonly Segment[]): boolean {
  const chars = column.reduce((sum, segment) => sum + segment.text.length, 0)
  return column.length >= MIN_LINES_PER_COLUMN && chars >= column.length * MIN_CHARS_PER_LINE
}

function joinRows(segments: readonly Segment[]): Segment[] {
  const rows: Segment[] = []
  for (const segment of segments) {
    const row = rows.at(-1)
    if (
      row &&
      Math.abs(row.y - segment.y) < SAME_ROW * Math.min(row.size, segment.size) &&
      row.right <= segment.x
    ) {
      row.text = row.rtl && segment.rtl ? `${segment.text} ${row.text}` : `${row.text} ${segment.text}`
      row.font = row.font === segment.font ? row.font : ''
      row.right = segment.right
    } else rows.push({ ...segment })
  }
  return rows
}
