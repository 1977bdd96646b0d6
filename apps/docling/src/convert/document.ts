/** How a stretch of text is set. `href` is where a link leads. */
export interface Style {
  bold?: boolean
  italic?: boolean
  strike?: boolean
  code?: boolean
  href?: string
}

/** Text in one style. A newline in `text` is a hard line break. */
export interface Run {
  text: string
  style: Style
}

/** `depth` is what the source said; writers close the gaps. A list is flat so that no nesting can exhaust the stack. */
export interface ListItem {
  depth: number
  marker: string
  runs: Run[]
  images: number
}

/** A plain cell is its text; a cell with formatting or several paragraphs is blocks. */
export type Cell = string | Block[]

export type Block =
  | { kind: 'heading'; level: number; runs: Run[] }
  | { kind: 'paragraph'; runs: Run[] }
  | { kind: 'list'; items: ListItem[] }
  | { kind: 'table'; rows: Cell[][] }
  | { kind: 'code'; text: string }
  | { kind: 'image' }

/** What every converter makes of its format, and what the writers turn into Markdown and text. */
export interface Document {
  title?: string
  blocks: Block[]
  pages?: number
  warnings: string[]
}

/** @returns true if both set text alike, so that two runs may be one. */
export function sameStyle(a: Style, b: Style): boolean {
  return (
    a === b ||
    (a.bold === b.bold &&
      a.italic === b.italic &&
      a.strike === b.strike &&
      a.code === b.code &&
      a.href === b.href)
  )
}

/** @returns true if the style leaves no trace in the output. */
export function isPlain(style: Style): boolean {
  return !style.bold && !style.italic && !style.strike && !style.code && style.href === undefined
}

/** @returns the text of runs as a reader sees it, without formatting. */
export function plainText(runs: readonly Run[]): string {
  return runs
    .map((run) => run.text)
    .join('')
    .trim()
}
