import { ConversionError } from './conversion-error.ts'
import type { Block, Cell, ListItem, Run } from './document.ts'

/** Deeper nesting than a reader can follow is written at this depth: indentation alone would grow with its square. */
const MAX_LIST_INDENT = 32

/**
 * Writes Markdown by the rules of docling's own serializer, with compact tables: blocks are separated by a blank line,
 * parts of different style by one blank, `_ & < >` are escaped in running text, `|` becomes `&#124;` in cells, images
 * are `<!-- image -->`.
 * @throws ConversionError `too_large` when the result would be longer than `maxChars` characters.
 */
export function toMarkdown(blocks: readonly Block[], maxChars: number): string {
  const parts: string[] = []
  let length = 0
  for (const block of blocks) {
    const part = renderBlock(block, maxChars)
    if (part === '') continue
    length += part.length + 2
    if (length > maxChars) throw tooLong(maxChars)
    parts.push(part)
  }
  return parts.join('\n\n')
}

function renderBlock(block: Block, maxChars: number): string {
  switch (block.kind) {
    case 'heading':
      return `${'#'.repeat(block.level)} ${renderRuns(block.runs).replace(/\s*\n/g, ' ')}`
    case 'paragraph':
      return renderRuns(block.runs)
    case 'list':
      return renderList(block.items)
    case 'table':
      return renderTable(block.rows, maxChars)
    case 'code':
      return fence(block.text)
    case 'image':
      return '<!-- image -->'
  }
}

function renderList(items: readonly ListItem[]): string {
  const depths: number[] = []
  const lines: string[] = []
  for (const item of items) {
    if (item.runs.length === 0 && item.images === 0) continue
    while ((depths.at(-1) ?? -1) >= item.depth) depths.pop()
    const indent = '    '.repeat(Math.min(depths.length, MAX_LIST_INDENT))
    depths.push(item.depth)
    const text = renderRuns(item.runs).replaceAll('\n', `\n${indent}    `)
    if (text !== '') lines.push(`${indent}${item.marker} ${text}`)
    for (let n = 0; n < item.images; n++) lines.push('<!-- image -->')
  }
  return lines.join('\n')
}

function renderTable(rows: readonly Cell[][], maxChars: number): string {
  const rendered = new Map<Cell, string>()
  const lines: string[] = []
  let length = 0
  for (const row of rows) {
    const cells = row.map((cell) => {
      const known = rendered.get(cell)
      if (known !== undefined) return known
      const text = renderCell(cell, maxChars)
      if (typeof cell !== 'string') rendered.set(cell, text)
      return text
    })
    const line = `| ${cells.join(' | ')} |`
    length += line.length
    if (length > maxChars) throw tooLong(maxChars)
    lines.push(line)
    if (lines.length === 1) lines.push(`|${' - |'.repeat(row.length)}`)
  }
  return lines.join('\n')
}

function renderCell(cell: Cell, maxChars: number): string {
  const text = typeof cell === 'string' ? cell : toMarkdown(cell, maxChars)
  return text.replace(/\r\n|[\r\n]/g, ' ').replaceAll('|', '&#124;')
}

/** Longest run of backticks within decides the fence (CommonMark 0.31, 4.5). */
function fence(text: string): string {
  const ticks = '`'.repeat(Math.max(3, longestTicks(text) + 1))
  return `${ticks}\n${text}\n${ticks}`
}

function renderRuns(runs: readonly Run[]): string {
  let out = ''
  let broke = false
  for (const run of runs) {
    const trimmed = run.text.trim()
    if (trimmed !== '') {
      if (out !== '') out += broke || /^ *\n/.test(run.text) ? '  \n' : ' '
      out += renderRun({ ...run, text: trimmed })
      broke = false
    }
    if (/\n *$/.test(run.text)) broke = true
  }
  return out
}

function renderRun({ text, style }: Run): string {
  let out = style.code ? inlineCode(text) : escapeText(text).replace(/ *\n */g, '  \n')
  if (style.bold) out = `**${out}**`
  if (style.italic) out = `*${out}*`
  if (style.strike) out = `~~${out}~~`
  if (style.href !== undefined) out = `[${out}](${style.href})`
  return out
}

function escapeText(text: string): string {
  return text.replaceAll('_', '\\_').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function inlineCode(text: string): string {
  const ticks = '`'.repeat(longestTicks(text) + 1)
  const pad = text.startsWith('`') || text.endsWith('`') ? ' ' : ''
  return `${ticks}${pad}${text.replaceAll('\n', ' ')}${pad}${ticks}`
}

function longestTicks(text: string): number {
  let longest = 0
  for (const [ticks] of text.matchAll(/`+/g)) longest = Math.max(longest, ticks.length)
  return longest
}

function tooLong(maxChars: number) {
  return new ConversionError('too_large', `its Markdown would be longer than ${String(maxChars)} characters`)
}
