import type { DefaultTreeAdapterTypes } from 'parse5'
import type { BlockBuilder } from './builder.ts'
import type { Style } from './document.ts'
import { safeHref } from './href.ts'

type Element = DefaultTreeAdapterTypes.Element

/** What an element means for the document. `block` is told of its start and end; `write` stands for its whole content. */
export type ElementRule =
  | { kind: 'skip' }
  | { kind: 'transparent' }
  | { kind: 'inline'; style: Style }
  | { kind: 'write'; write: (builder: BlockBuilder, style: Style, text: () => string) => void }
  | {
      kind: 'block'
      open: (b: BlockBuilder) => void
      close: (b: BlockBuilder) => void
      resetsStyle?: boolean
    }

type MakeRule = (element: Element) => ElementRule

const SKIP: ElementRule = { kind: 'skip' }
const TRANSPARENT: ElementRule = { kind: 'transparent' }
const PARAGRAPH: ElementRule = {
  kind: 'block',
  open: (b) => b.endParagraph(),
  close: (b) => b.endParagraph(),
}
const IMAGE: ElementRule = { kind: 'write', write: (b) => b.image() }
const inline =
  (style: Style): MakeRule =>
  () => ({ kind: 'inline', style })
const heading =
  (level: number): MakeRule =>
  () => ({ kind: 'block', open: (b) => b.openHeading(level), close: (b) => b.closeHeading() })
const cell: MakeRule = (element) => ({
  kind: 'block',
  open: (b) => b.openCell(span(element, 'colspan', 1000), span(element, 'rowspan', 65534)),
  close: (b) => b.closeCell(),
  resetsStyle: true,
})

const RULES: Readonly<Record<string, MakeRule>> = {
  ...rules('script style noscript head title iframe object audio video canvas template', () => SKIP),
  ...rules('img svg', () => IMAGE),
  ...rules(
    'p div section article main header footer nav aside address blockquote figure figcaption details summary form ' +
      'fieldset legend hr dialog center caption option hgroup search menu',
    () => PARAGRAPH,
  ),
  ...rules('b strong', inline({ bold: true })),
  ...rules('i em', inline({ italic: true })),
  ...rules('s del strike', inline({ strike: true })),
  ...rules('code kbd samp tt', inline({ code: true })),
  h1: heading(1),
  h2: heading(2),
  h3: heading(3),
  h4: heading(4),
  h5: heading(5),
  h6: heading(6),
  a: (element) => {
    const href = safeHref(attribute(element, 'href'))
    return href === undefined ? TRANSPARENT : { kind: 'inline', style: { href } }
  },
  br: () => ({ kind: 'write', write: (b, style) => b.lineBreak(style) }),
  pre: () => ({ kind: 'write', write: (b, _style, text) => b.code(text()) }),
  textarea: () => ({ kind: 'write', write: (b, style, text) => b.text(text(), style) }),
  input: (element) => {
    if (attribute(element, 'type')?.toLowerCase() !== 'checkbox') return SKIP
    return {
      kind: 'write',
      write: (b, style) => b.checkbox(attribute(element, 'checked') !== undefined, style),
    }
  },
  ul: () => list(false),
  ol: (element) => list(true, number(element, 'start')),
  li: (element) => ({
    kind: 'block',
    open: (b) => b.openItem(number(element, 'value')),
    close: (b) => b.closeItem(),
  }),
  // A term and its definitions read as an item with nested items.
  dl: () => list(false),
  dt: () => ({ kind: 'block', open: (b) => b.openItem(), close: (b) => b.endParagraph() }),
  dd: () => ({ kind: 'block', open: (b) => b.openDefinition(), close: (b) => b.closeDefinition() }),
  table: () => ({
    kind: 'block',
    open: (b) => b.openTable(),
    close: (b) => b.closeTable(),
    resetsStyle: true,
  }),
  tr: () => ({ kind: 'block', open: (b) => b.openRow(), close: (b) => b.endParagraph() }),
  td: cell,
  th: cell,
}

/** @returns what to do with an element; unknown elements are as if their tags were not there. */
export function ruleFor(element: Element): ElementRule {
  if (attribute(element, 'hidden') !== undefined) return SKIP
  const make = Object.hasOwn(RULES, element.tagName) ? RULES[element.tagName] : undefined
  return make ? make(element) : TRANSPARENT
}

function rules(names: string, make: MakeRule): Record<string, MakeRule> {
  return Object.fromEntries(names.split(' ').map((name) => [name, make]))
}

function list(ordered: boolean, start?: number): ElementRule {
  return { kind: 'block', open: (b) => b.openList(ordered, start), close: (b) => b.closeList() }
}

function attribute(element: Element, name: string): string | undefined {
  return element.attrs.find((attr) => attr.name === name)?.value
}

function number(element: Element, name: string): number | undefined {
  const value = attribute(element, name)
  return value !== undefined && /^-?\d{1,9}$/.test(value.trim()) ? Number(value) : undefined
}

/** HTML, 4.9.11: a span below one counts as one, above the maximum as the maximum; rowspan 0 runs to the end. */
function span(element: Element, name: 'colspan' | 'rowspan', max: number): number {
  const value = number(element, name)
  if (value === 0 && name === 'rowspan') return max
  return Math.min(Math.max(value ?? 1, 1), max)
}
