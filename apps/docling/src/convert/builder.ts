import type { Block, Cell, ListItem, Run, Style } from './document.ts'
import { isPlain, plainText, sameStyle } from './document.ts'
import { spreadSpans } from './grid.ts'
import type { SpanningCell } from './grid.ts'
import { toText } from './text-writer.ts'

interface OpenList {
  ordered: boolean
  next: number
  item?: ListItem | undefined
  definition?: boolean
  implied?: boolean
}
interface Flow {
  blocks: Block[]
  runs: Run[]
  heading?: number | undefined
  images: number
  lists: OpenList[]
  listBlock?: ListItem[] | undefined
}
interface OpenTable {
  rows: SpanningCell[][]
  outer: Flow
  cell?: { colspan: number; rowspan: number } | undefined
}

/** Each level copies what is within; below this one the tags of tables only part paragraphs. */
const MAX_TABLE_DEPTH = 16
const WHITE_SPACE = /[\s\u00a0]+/g

export type BlockBuilder = ReturnType<typeof createBlockBuilder>

/**
 * Collects a document from a walk over some tree: HTML and Markdown both write into it. Blocks that the model cannot
 * nest are flattened: a table inside a table becomes paragraphs of its cell, a table inside a list interrupts it.
 */
export function createBlockBuilder() {
  let flow = newFlow()
  const tables: OpenTable[] = []
  let tooDeep = 0

  function endParagraph() {
    const { runs, images } = flow
    flow.runs = []
    flow.images = 0
    trimEnd(runs)
    const item = flow.lists.at(-1)?.item
    if (runs.length > 0) {
      if (item) appendToItem(item, runs)
      else if (flow.heading) pushBlock({ kind: 'heading', level: flow.heading, runs })
      else pushBlock({ kind: 'paragraph', runs })
    }
    for (let n = 0; n < images; n++) pushBlock({ kind: 'image' })
  }

  function pushBlock(block: Block) {
    flow.listBlock = undefined
    flow.blocks.push(block)
  }

  function append(text: string, style: Style) {
    const { runs } = flow
    const last = runs.at(-1)
    const addition = runs.length === 0 || last?.text.match(/\s$/) ? text.replace(/^ /, '') : text
    if (addition === '') return
    if (last && sameStyle(last.style, style)) last.text += addition
    else runs.push({ text: addition, style })
  }

  function openList(ordered: boolean, start = 1) {
    endParagraph()
    if (flow.lists.length === 0) flow.listBlock = undefined
    flow.lists.push({ ordered, next: start })
  }

  function closeList() {
    endParagraph()
    flow.lists.pop()
  }

  function openItem(number?: number) {
    endParagraph()
    if (flow.lists.length === 0) flow.lists.push({ ordered: false, next: 1, implied: true })
    const list = flow.lists.at(-1)
    if (!list) return
    list.next = number ?? list.next
    const marker = list.ordered ? `${String(list.next++)}.` : '-'
    list.item = { depth: flow.lists.length - 1, marker, runs: [], images: 0 }
    if (!flow.listBlock) {
      flow.listBlock = []
      flow.blocks.push({ kind: 'list', items: flow.listBlock })
    }
    flow.listBlock.push(list.item)
  }

  function closeItem() {
    endParagraph()
    const list = flow.lists.at(-1)
    if (list?.implied) flow.lists.pop()
    else if (list) list.item = undefined
  }

  return {
    /** Adds running text; white space of any length counts as one blank. */
    text(text: string, style: Style) {
      append(text.replace(WHITE_SPACE, ' '), style)
    },
    /** A hard line break within the running text; two in a row end the paragraph. */
    lineBreak(style: Style) {
      if (flow.runs.at(-1)?.text.endsWith('\n')) endParagraph()
      else if (flow.runs.length > 0) append('\n', style)
    },
    checkbox(checked: boolean, style: Style) {
      const bullet = flow.lists.at(-1)?.item ? '' : '- '
      append(`${bullet}[${checked ? 'x' : ' '}] `, style)
    },
    /** Ends the running text: what follows is another paragraph. */
    endParagraph,
    openHeading(level: number) {
      endParagraph()
      flow.heading = level
    },
    closeHeading() {
      endParagraph()
      flow.heading = undefined
    },
    code(text: string) {
      endParagraph()
      if (text.trim() !== '') pushBlock({ kind: 'code', text: text.replace(/^\n|\s+$/g, '') })
    },
    image() {
      const item = flow.lists.at(-1)?.item
      if (flow.heading) flow.images++
      else if (item) item.images++
      else {
        endParagraph()
        pushBlock({ kind: 'image' })
      }
    },
    openList,
    closeList,
    openItem,
    closeItem,
    /** An item below the term just written, or an item of its own where there is no term. */
    openDefinition() {
      if (flow.lists.at(-1)?.item) {
        openList(false)
        const list = flow.lists.at(-1)
        if (list) list.definition = true
      }
      openItem()
    },
    closeDefinition() {
      closeItem()
      if (flow.lists.at(-1)?.definition) closeList()
    },
    openTable() {
      endParagraph()
      if (tables.length === MAX_TABLE_DEPTH) tooDeep++
      else tables.push({ rows: [], outer: flow })
    },
    openRow() {
      endParagraph()
      if (tooDeep === 0) tables.at(-1)?.rows.push([])
    },
    openCell(colspan = 1, rowspan = 1) {
      endParagraph()
      const table = tables.at(-1)
      if (!table || tooDeep > 0) return
      table.cell = { colspan, rowspan }
      flow = newFlow()
    },
    closeCell() {
      endParagraph()
      const table = tables.at(-1)
      if (!table?.cell || tooDeep > 0) return
      table.rows.at(-1)?.push({ ...table.cell, cell: simplestCell(flow.blocks) })
      table.cell = undefined
      flow = table.outer
    },
    closeTable() {
      endParagraph()
      if (tooDeep > 0) {
        tooDeep--
        return
      }
      const rows = spreadSpans(tables.pop()?.rows ?? []).filter((row) => row.length > 0)
      const only = rows.length === 1 && rows[0]?.length === 1 ? rows[0][0] : undefined
      // A table of one cell is a frame around its content, not data.
      if (only === undefined) pushTable(rows)
      else if (typeof only !== 'string') only.forEach(pushBlock)
      else if (only !== '') pushBlock({ kind: 'paragraph', runs: [{ text: only, style: {} }] })
    },
    /** @returns everything collected; the builder is not used after that. */
    finish(): Block[] {
      endParagraph()
      return flow.blocks.filter((block) => block.kind !== 'list' || block.items.some(hasContent))
    },
  }

  function pushTable(rows: Cell[][]) {
    const hasText = rows.some((row) => row.some((cell) => cell !== ''))
    if (hasText) pushBlock({ kind: 'table', rows: rows.map((row) => row.map(flattenTables)) })
  }
}

function newFlow(): Flow {
  return { blocks: [], runs: [], images: 0, lists: [] }
}

function hasContent(item: ListItem): boolean {
  return item.runs.length > 0 || item.images > 0
}

function trimEnd(runs: Run[]) {
  for (let last = runs.at(-1); last; last = runs.at(-1)) {
    last.text = last.text.trimEnd()
    if (last.text !== '') return
    runs.pop()
  }
}

function appendToItem(item: ListItem, runs: Run[]) {
  const last = item.runs.at(-1)
  if (last) last.text += ' '
  item.runs.push(...runs)
}

/** A table within a cell becomes a paragraph for each of its rows, so that no depth of tables reaches the writers. */
function flattenTables(cell: Cell): Cell {
  if (typeof cell === 'string' || !cell.some((block) => block.kind === 'table')) return cell
  return cell.flatMap((block): Block[] =>
    block.kind === 'table'
      ? block.rows.map((row) => ({
          kind: 'paragraph',
          runs: [{ text: row.map(cellText).join(' '), style: {} }],
        }))
      : [block],
  )
}

function cellText(cell: Cell): string {
  return typeof cell === 'string' ? cell : toText(cell)
}

function simplestCell(blocks: Block[]): Cell {
  const [first] = blocks
  if (!first) return ''
  const plain =
    blocks.length === 1 && first.kind === 'paragraph' && first.runs.every((run) => isPlain(run.style))
  return plain ? plainText(first.runs) : blocks
}
