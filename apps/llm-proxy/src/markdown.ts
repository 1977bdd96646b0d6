/** A part of a document under one heading. */
export interface Section {
  /** The headings above it, outermost first. */
  headings: readonly string[]
  text: string
}

/** A title longer than this, in UTF-16 units, is cut: it is repeated before every passage of its section. */
const LONGEST_TITLE = 200

/**
 * Returns the sections of a Markdown text in order. A `#` inside a fenced block is no heading (CommonMark 4.2 and 4.5); a
 * heading with nothing under it is text of the section above.
 */
export function sectionsOf(markdown: string): Section[] {
  const sections: Section[] = []
  let headings: string[] = []
  let lines: string[] = []
  let fence: string | undefined
  const endSection = (nextLevel: number) => {
    const text = lines.join('\n').trim()
    const path = headings.filter((title) => title !== '')
    if (text !== '') sections.push({ headings: path, text })
    else if (path.length > 0 && nextLevel <= headings.length) {
      sections.push({ headings: path.slice(0, -1), text: path.at(-1) ?? '' })
    }
    lines = []
  }
  for (const line of markdown.split(/\r\n?|\n/)) {
    fence = fenceAfter(line, fence)
    const heading = fence === undefined ? readHeading(line) : undefined
    if (!heading) {
      lines.push(line)
      continue
    }
    endSection(heading.level)
    const above = Array.from({ length: heading.level - 1 }, (_, index) => headings[index] ?? '')
    headings = [...above, heading.title]
  }
  endSection(0)
  return sections
}

/** The mark of the fenced block that is open after `line`: a block ends with at least as many of the marks it began with. */
function fenceAfter(line: string, open: string | undefined): string | undefined {
  const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1]
  if (mark === undefined) return open
  if (open === undefined) return mark
  return mark.startsWith(open) ? undefined : open
}

function readHeading(line: string): { level: number; title: string } | undefined {
  const match = /^ {0,3}(#{1,6})[ \t](.*)$/.exec(line)
  if (!match) return undefined
  const [, marks = '#', rest = ''] = match
  const words = rest.trim().split(/[ \t]+/)
  if (/^#+$/.test(words.at(-1) ?? '')) words.pop()
  const title = words.join(' ')
  return title === '' ? undefined : { level: marks.length, title: title.slice(0, LONGEST_TITLE) }
}
