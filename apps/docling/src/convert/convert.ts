import { ConversionError } from './conversion-error.ts'
import type { Format } from './detect.ts'
import { detectFormat } from './detect.ts'
import type { Block, Document } from './document.ts'
import { plainText } from './document.ts'
import { toMarkdown } from './markdown-writer.ts'
import { toText } from './text-writer.ts'

const MAX_TITLE_CHARS = 500

/** A converted document. `text` is the plain text, `pages` is known for PDF only. */
export interface Converted {
  format: Format
  title?: string
  markdown: string
  text: string
  pages?: number
  warnings: string[]
}

/** One module per format, loaded when first needed: pdf.js alone takes 90 ms and 30 MB. */
const READERS = {
  pdf: async (bytes) => (await import('./pdf.ts')).readPdf(bytes),
  docx: async (bytes) => (await import('./docx.ts')).readDocx(bytes),
  html: async (bytes) => (await import('./html.ts')).readHtml(bytes),
  md: async (bytes) => (await import('./markdown.ts')).readMarkdown(bytes),
  csv: async (bytes) => (await import('./csv.ts')).readCsv(bytes),
} satisfies Record<Format, (bytes: Buffer) => Promise<Document>>

/**
 * Converts a document to Markdown and plain text, at most `maxChars` characters of Markdown.
 * @throws ConversionError; its message continues the sentence that the file's name begins.
 */
export async function convert(name: string, bytes: Buffer, maxChars: number): Promise<Converted> {
  const format = detectFormat(name, bytes)
  const document = await READERS[format](bytes).catch(explain)
  const { blocks, pages, warnings } = document
  const title = clean(document.title ?? firstHeading(blocks))
  const markdown = clean(toMarkdown(blocks, maxChars))
  if (markdown === '') throw new ConversionError('empty', 'holds no text')
  return {
    format,
    markdown,
    text: clean(toText(blocks)),
    warnings,
    ...(title !== '' && { title: title.slice(0, MAX_TITLE_CHARS) }),
    ...(pages !== undefined && { pages }),
  }
}

function firstHeading(blocks: readonly Block[]): string {
  const heading = blocks.find((block) => block.kind === 'heading' && block.level === 1)
  return heading?.kind === 'heading' ? plainText(heading.runs) : ''
}

/** What a library throws at a hostile document names its own insides; only what a user can use of it goes on. */
function explain(error: unknown): never {
  if (error instanceof ConversionError) throw error
  if (error instanceof RangeError && error.message.includes('call stack'))
    throw new ConversionError('too_large', 'is nested too deeply to be read', { cause: error })
  throw new ConversionError('broken', 'cannot be read', { cause: error })
}

/** Neither a NUL nor half a surrogate pair can be stored in PostgreSQL or sent as JSON to everyone. */
function clean(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/[^\P{Cc}\t\n]/gu, '')
    .toWellFormed()
    .trim()
}
