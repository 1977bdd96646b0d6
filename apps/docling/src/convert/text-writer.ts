import type { Block, Cell, ListItem } from './document.ts'
import { plainText } from './document.ts'

/**
 * Writes what a reader reads and nothing else: no markers of emphasis, no link targets, no images. Cells of a table
 * are separated by tabs. Never longer than a small multiple of the Markdown, whose writer has the limit.
 */
export function toText(blocks: readonly Block[]): string {
  return blocks
    .map(renderBlock)
    .filter((part) => part !== '')
    .join('\n\n')
}

function renderBlock(block: Block): string {
  switch (block.kind) {
    case 'heading':
    case 'paragraph':
      return plainText(block.runs)
    case 'list':
      return block.items.map(renderItem).filter(Boolean).join('\n')
    case 'table':
      return block.rows.map((row) => row.map(renderCell).join('\t')).join('\n')
    case 'code':
      return block.text
    case 'image':
      return ''
  }
}

function renderItem(item: ListItem): string {
  const text = plainText(item.runs)
  return text && `${item.marker} ${text}`
}

function renderCell(cell: Cell): string {
  return (typeof cell === 'string' ? cell : toText(cell)).replace(/\s+/g, ' ')
}
