import type { Nodes, Root } from 'mdast'
import { fromMarkdown } from 'mdast-util-from-markdown'
import { gfmFromMarkdown } from 'mdast-util-gfm'
import { gfm } from 'micromark-extension-gfm'
import type { BlockBuilder } from './builder.ts'
import { createBlockBuilder } from './builder.ts'
import { decodeText } from './decode.ts'
import type { Document, Style } from './document.ts'
import { safeHref } from './href.ts'
import { writeHtmlFragment } from './html.ts'

interface Frame {
  children: readonly Nodes[]
  next: number
  style: Style
  leave?: (() => void) | undefined
}
interface Inside {
  style: Style
  leave?: () => void
}
type Definitions = ReadonlyMap<string, string>

/** Reads Markdown (CommonMark with GitHub's extensions) or plain text. Raw HTML blocks are read as HTML. */
export function readMarkdown(bytes: Uint8Array): Document {
  const { text, warnings } = decodeText(bytes)
  const { body, title: declared } = splitFrontMatter(text)
  const root: Root = fromMarkdown(body, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] })
  const builder = createBlockBuilder()
  write(root, builder)
  const blocks = builder.finish()
  return declared ? { title: declared, blocks, warnings } : { blocks, warnings }
}

/** Walks with a stack of its own; quotes and lists nest as deep as the author of a hostile file likes. */
function write(root: Root, builder: BlockBuilder) {
  const definitions: Definitions = new Map(
    root.children.flatMap((node) =>
      node.type === 'definition' ? [[node.identifier, node.url] as const] : [],
    ),
  )
  const stack: Frame[] = [{ children: root.children, next: 0, style: {} }]
  for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
    const node = frame.children[frame.next++]
    if (!node) {
      frame.leave?.()
      stack.pop()
      continue
    }
    const inside = enter(node, builder, frame.style, definitions)
    if (inside && 'children' in node) stack.push({ children: node.children, next: 0, ...inside })
  }
}

/** Writes a node's own content; what comes back is how to write its children, if they are to be written. */
function enter(node: Nodes, b: BlockBuilder, style: Style, definitions: Definitions): Inside | undefined {
  switch (node.type) {
    case 'heading':
      b.openHeading(node.depth)
      return { style, leave: () => b.closeHeading() }
    case 'paragraph': // begins without ending anything: a task's box or a footnote's label belongs to it
      return { style, leave: () => b.endParagraph() }
    case 'blockquote':
      b.endParagraph()
      return { style, leave: () => b.endParagraph() }
    case 'list':
      b.openList(node.ordered === true, node.start ?? 1)
      return { style, leave: () => b.closeList() }
    case 'listItem':
      b.openItem()
      if (typeof node.checked === 'boolean') b.checkbox(node.checked, style)
      return { style, leave: () => b.closeItem() }
    case 'table':
      b.openTable()
      return { style, leave: () => b.closeTable() }
    case 'tableRow':
      b.openRow()
      return { style }
    case 'tableCell':
      b.openCell()
      return { style, leave: () => b.closeCell() }
    case 'footnoteDefinition':
      b.endParagraph()
      b.text(`[^${node.identifier}]: `, style)
      return { style }
    case 'code':
      b.code(node.value)
      return undefined
    case 'html':
      writeHtmlFragment(node.value, b, style)
      return undefined
    default:
      return enterPhrase(node, b, style, definitions)
  }
}

function enterPhrase(
  node: Nodes,
  b: BlockBuilder,
  style: Style,
  definitions: Definitions,
): Inside | undefined {
  switch (node.type) {
    case 'text':
      b.text(node.value, style)
      return undefined
    case 'inlineCode':
      b.text(node.value, { ...style, code: true })
      return undefined
    case 'break':
      b.lineBreak(style)
      return undefined
    case 'strong':
      return { style: { ...style, bold: true } }
    case 'emphasis':
      return { style: { ...style, italic: true } }
    case 'delete':
      return { style: { ...style, strike: true } }
    case 'link':
      return { style: linked(style, node.url) }
    case 'linkReference':
      return { style: linked(style, definitions.get(node.identifier)) }
    case 'image':
    case 'imageReference':
      b.image()
      return undefined
    case 'footnoteReference':
      b.text(`[^${node.identifier}]`, style)
      return undefined
    default:
      return undefined
  }
}

function linked(style: Style, url: string | undefined): Style {
  const href = safeHref(url)
  return href === undefined ? style : { ...style, href }
}

/** YAML between two lines of `---` at the very start is about the document, not part of it; only `title:` is kept. */
function splitFrontMatter(text: string): { body: string; title?: string } {
  const match = /^---[ \t]*\r?\n([^]{0,65536}?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(text)
  const yaml = match?.[1]
  if (!match || yaml === undefined || !/^[\w-]+:/m.test(yaml)) return { body: text }
  const title = /^title:[ \t]*(["']?)(.+?)\1[ \t]*$/m.exec(yaml)?.[2]
  const body = text.slice(match[0].length)
  return title ? { body, title } : { body }
}
