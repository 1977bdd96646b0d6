import { ConversionError } from './conversion-error.ts'
import type { Format } from './detect.ts'
import { detectFormat } from './detect.ts'
import type { Document } from './document.ts'
import { toMarkdown } from './markdown-writer.ts'
import { toText } from './text-writer.ts'

/** A converted document. `text` is the plain text, `pages` is known for PDF only. */
export type Converted = {
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
  const { blocks, title, pages, warnings } = await READERS[format](bytes).catch(explain)
  const markdown = clean(toMarkdown(blocks, maxChars))
  if (markdown === '') throw new ConversionError('empty', 'holds no text')
  return {
    format,
    markdown,
    text: clean(toText(blocks)),
    warnings,
    ...(title && { title: clean(title).slice(0, 500) }),
    ...(pages !== undefined && { pages }),
  }
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
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g, '')
    .toWellFormed()
    .trim()
}
