import type { Line } from './pdf-lines.ts'

/** A line on fewer pages than this is content, even if it stands at the top of each. */
const MIN_PAGES = 3
const LINES_PER_EDGE = 2

/**
 * Removes running headers, footers and page numbers: lines at the upper or lower edge that recur, but for digits, on at
 * least three pages and half of all.
 */
export function dropRunningLines(pages: readonly Line[][]): Line[] {
  const tally = new Map<string, number>()
  for (const lines of pages) {
    for (const key of new Set(edges(lines).map(keyOf))) tally.set(key, (tally.get(key) ?? 0) + 1)
  }
  const enough = Math.max(MIN_PAGES, pages.length / 2)
  return pages.flatMap((lines) => {
    const edge = new Set(edges(lines))
    return lines.filter((line) => !edge.has(line) || (tally.get(keyOf(line)) ?? 0) < enough)
  })
}

function edges(lines: readonly Line[]): Line[] {
  const byHeight = lines.toSorted((p, q) => q.y - p.y)
  return [...byHeight.slice(0, LINES_PER_EDGE), ...byHeight.slice(-LINES_PER_EDGE)]
}

function keyOf(line: Line): string {
  return `${line.text.replace(/\d+/g, '#')} at ${String(Math.round(line.y / 4))}`
}
