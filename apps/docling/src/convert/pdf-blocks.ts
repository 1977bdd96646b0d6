import type { Block, ListItem } from './document.ts'
import type { Line } from './pdf-lines.ts'

/** Type this much larger than the body's is a heading, if it is no longer than a heading is. */
const HEADING_RATIO = 1.15
const MAX_HEADING_CHARS = 200
const MAX_LEVEL = 6
/** In multiples of the type size: lines of one paragraph follow closer than this. */
const MAX_LEADING = 1.75
/** In ems. */
const INDENT = 0.9
const BULLET = /^[•‣◦▪▫●○■□⁃∙·–—\-*\u2610\u0080-\u009f\uf000-\uf0ff]\s+(?=\S)/
const NUMBER = /^(\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)])\s+(?=\S)/

type Open =
  | { kind: 'heading'; level: number; lines: Line[] }
  | { kind: 'paragraph'; lines: Line[] }
  | { kind: 'item'; marker: string; lines: Line[]; firstText: string }

/** How the body is set, and what differs from it: sizes of headings, largest first, whose rank is the level. */
interface Typography {
  size: number
  font: string
  headingSizes: number[]
}

/** Turns lines in reading order into headings, paragraphs and lists. */
export function toBlocks(lines: readonly Line[]): Block[] {
  const typography = readTypography(lines)
  const groups: Open[] = []
  for (const line of lines) {
    const open = groups.at(-1)
    const level = headingLevel(line, open, typography)
    const list = level ? undefined : listMarker(line.text)
    if (level) {
      if (open?.kind === 'heading' && open.level === level && isNextLine(open, line)) open.lines.push(line)
      else groups.push({ kind: 'heading', level, lines: [line] })
    } else if (list) groups.push({ kind: 'item', ...list, lines: [line] })
    else if (open && open.kind !== 'heading' && continues(open, line)) open.lines.push(line)
    else groups.push({ kind: 'paragraph', lines: [line] })
  }
  return mergeItems(groups)
}

function readTypography(lines: readonly Line[]): Typography {
  const sizes = new Map<number, number>()
  const fonts = new Map<string, number>()
  for (const { size, font, text } of lines) {
    sizes.set(size, (sizes.get(size) ?? 0) + text.length)
    fonts.set(font, (fonts.get(font) ?? 0) + text.length)
  }
  const size = mostUsed(sizes) ?? 0
  const headingSizes = [...sizes.keys()]
    .filter((other) => other >= size * HEADING_RATIO)
    .toSorted((p, q) => q - p)
  return { size, font: mostUsed(fonts) ?? '', headingSizes }
}

function mostUsed<T>(tally: ReadonlyMap<T, number>): T | undefined {
  return [...tally].reduce<[T, number] | undefined>(
    (top, entry) => (top && top[1] >= entry[1] ? top : entry),
    undefined,
  )?.[0]
}

function headingLevel(line: Line, before: Open | undefined, typography: Typography): number | undefined {
  if (line.text.length > MAX_HEADING_CHARS || !/\p{L}/u.test(line.text)) return undefined
  const rank = typography.headingSizes.indexOf(line.size)
  if (rank >= 0) return Math.min(rank + 1, MAX_LEVEL)
  return isSetApart(line, before, typography)
    ? Math.min(typography.headingSizes.length + 1, MAX_LEVEL)
    : undefined
}

/** In the body's size but another face, after a gap, short and without a full stop: a heading in bold. */
function isSetApart(line: Line, before: Open | undefined, body: Typography): boolean {
  const otherFace = line.font !== '' && line.font !== body.font && line.size >= body.size
  const afterGap = !before || !isNextLine(before, line) || isWideGap(before, line)
  return otherFace && afterGap && line.text.length <= 80 && /^[\p{Lu}\d].*[^.,:;]$/u.test(line.text)
}

function isWideGap(before: Open, line: Line): boolean {
  const last = before.lines.at(-1)
  return last !== undefined && last.y - line.y > 1.4 * line.size
}

function listMarker(text: string): { marker: string; firstText: string } | undefined {
  const bullet = BULLET.exec(text)
  if (bullet) return { marker: '-', firstText: text.slice(bullet[0].length) }
  const number = NUMBER.exec(text)
  return number?.[1] ? { marker: number[1], firstText: text.slice(number[0].length) } : undefined
}

function isNextLine(open: Open, line: Line): boolean {
  const last = open.lines.at(-1)
  if (last?.page !== line.page) return false
  const drop = last.y - line.y
  return drop > 0 && drop <= MAX_LEADING * Math.max(last.size, line.size)
}

function continues(open: Open, line: Line): boolean {
  const last = open.lines.at(-1)
  const first = open.lines[0]
  if (!last || !first || Math.abs(last.size - line.size) > 0.1 * last.size) return false
  // Over the end of a column or page a paragraph goes on if it stopped in mid-sentence.
  if (!isNextLine(open, line))
    return isJump(last, line) && /[^.!?:;]$/.test(last.text) && /^\p{Ll}/u.test(line.text)
  if (open.kind === 'item') return line.x > first.x + 0.3 * line.size
  const isIndented = line.x > last.x + INDENT * line.size && open.lines.length > 1
  const endedShort = /[.!?:]$/.test(last.text) && last.right < line.right - 8 * line.size
  return !isIndented && !endedShort
}

function isJump(last: Line, line: Line): boolean {
  return last.page !== line.page || line.y > last.y
}

function mergeItems(groups: readonly Open[]): Block[] {
  const blocks: Block[] = []
  let indents: number[] = []
  for (const group of groups) {
    const [first] = group.lines
    if (!first) continue
    if (group.kind !== 'item') {
      indents = []
      const runs = [{ text: joinLines(group.lines.map((line) => line.text)), style: {} }]
      blocks.push(
        group.kind === 'heading'
          ? { kind: 'heading', level: group.level, runs }
          : { kind: 'paragraph', runs },
      )
      continue
    }
    indents = [...indents.filter((x) => x < first.x - INDENT * first.size), first.x]
    const texts = [group.firstText, ...group.lines.slice(1).map((line) => line.text)]
    const runs = [{ text: joinLines(texts), style: {} }]
    const item: ListItem = { depth: indents.length - 1, marker: group.marker, runs, images: 0 }
    const last = blocks.at(-1)
    if (last?.kind === 'list') last.items.push(item)
    else blocks.push({ kind: 'list', items: [item] })
  }
  return blocks
}

/** Words divided at a line's end are put together again where a small letter goes on. */
function joinLines(texts: readonly string[]): string {
  let joined = ''
  for (const text of texts) {
    if (/\p{L}[-\u2010]$/u.test(joined) && /^\p{Ll}/u.test(text)) joined = joined.slice(0, -1) + text
    else joined += joined === '' ? text : ` ${text}`
  }
  return joined
}
