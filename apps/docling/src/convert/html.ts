import type { DefaultTreeAdapterTypes } from 'parse5'
import { defaultTreeAdapter, parse, parseFragment } from 'parse5'
import type { BlockBuilder } from './builder.ts'
import { createBlockBuilder } from './builder.ts'
import { decodeText } from './decode.ts'
import type { Document, Style } from './document.ts'
import { ruleFor } from './html-elements.ts'

type Node = DefaultTreeAdapterTypes.Node
type Element = DefaultTreeAdapterTypes.Element
interface Frame {
  children: readonly Node[]
  next: number
  style: Style
  leave?: (() => void) | undefined
}

/**
 * Reads an HTML page. Nothing is fetched or run: scripts, styles, hidden elements and the content of frames are left
 * out, images become placeholders. The encoding is the byte order mark's, else that of `<meta charset>`.
 */
export function readHtml(bytes: Uint8Array): Document {
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 4096))
  const declared = /<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})/i.exec(head)?.[1]
  const { text, warnings } = decodeText(bytes, declared)
  return { ...readHtmlText(text), warnings }
}

/** As readHtml, for text that is already decoded. */
export function readHtmlText(html: string): Document {
  const page = parse(html)
  const builder = createBlockBuilder()
  writeHtml(page.childNodes, builder, {})
  const title = findTitle(page)
  const document: Document = { blocks: builder.finish(), warnings: [] }
  return title ? { ...document, title } : document
}

/** Writes a fragment of HTML into a document under way; used for the raw HTML within Markdown. */
export function writeHtmlFragment(html: string, builder: BlockBuilder, style: Style) {
  writeHtml(parseFragment(html).childNodes, builder, style)
}

/** Walks with a stack of its own: a page may be nested 200,000 deep and recursion ends near 10,000. */
function writeHtml(nodes: readonly Node[], builder: BlockBuilder, style: Style) {
  const stack: Frame[] = [{ children: nodes, next: 0, style }]
  for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
    const node = frame.children[frame.next++]
    if (!node) {
      frame.leave?.()
      stack.pop()
    } else if (defaultTreeAdapter.isTextNode(node)) {
      builder.text(node.value, frame.style)
    } else if (defaultTreeAdapter.isElementNode(node)) {
      const inside = enter(node, builder, frame.style)
      if (inside) stack.push({ children: node.childNodes, next: 0, ...inside })
    }
  }
}

function enter(
  element: Element,
  builder: BlockBuilder,
  style: Style,
): Omit<Frame, 'children' | 'next'> | undefined {
  const rule = ruleFor(element)
  switch (rule.kind) {
    case 'skip':
      return undefined
    case 'inline':
      return { style: { ...style, ...rule.style } }
    case 'transparent':
      return { style }
    case 'write':
      rule.write(builder, style, () => textOf(element))
      return undefined
    case 'block': {
      rule.open(builder)
      return { style: rule.resetsStyle ? {} : style, leave: () => rule.close(builder) }
    }
  }
}

function textOf(element: Element): string {
  const parts: string[] = []
  const stack: { children: readonly Node[]; next: number }[] = [{ children: element.childNodes, next: 0 }]
  for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
    const node = frame.children[frame.next++]
    if (!node) stack.pop()
    else if (defaultTreeAdapter.isTextNode(node)) parts.push(node.value)
    else if (defaultTreeAdapter.isElementNode(node)) {
      if (node.tagName === 'br') parts.push('\n')
      stack.push({ children: node.childNodes, next: 0 })
    }
  }
  return parts.join('')
}

function findTitle(page: DefaultTreeAdapterTypes.Document): string | undefined {
  const named = (nodes: readonly Node[], name: string) =>
    nodes.filter((node) => defaultTreeAdapter.isElementNode(node)).find((element) => element.tagName === name)
  const head = named(named(page.childNodes, 'html')?.childNodes ?? [], 'head')
  const title = named(head?.childNodes ?? [], 'title')
  return title && (textOf(title).replace(/\s+/g, ' ').trim() || undefined)
}
