import { getDocument, VerbosityLevel } from 'pdfjs-dist/legacy/build/pdf.mjs'
import type { PDFDocumentProxy, PDFPageProxy } from 'pdfjs-dist/legacy/build/pdf.mjs'
import { ConversionError } from './conversion-error.ts'
import type { Document } from './document.ts'
import { toBlocks } from './pdf-blocks.ts'
import { toLines } from './pdf-lines.ts'
import type { Line } from './pdf-lines.ts'
import { dropRunningLines } from './pdf-furniture.ts'

const ASSETS = new URL('./', import.meta.resolve('pdfjs-dist/package.json'))
const END_MARK_BYTES = 2048

/**
 * Reads a PDF's text in reading order: columns, headings by size of type, lists, paragraphs joined over line ends;
 * running headers and footers are left out. Scripts in the file are never run, fonts never loaded, nothing fetched.
 * @throws ConversionError `encrypted`, `broken`, and `empty` for a PDF without any text, such as a scan.
 */
export async function readPdf(bytes: Buffer): Promise<Document> {
  const task = getDocument({
    data: new Uint8Array(bytes),
    disableFontFace: true,
    useSystemFonts: false,
    enableXfa: false,
    stopAtErrors: false,
    cMapUrl: new URL('cmaps/', ASSETS).pathname,
    cMapPacked: true,
    standardFontDataUrl: new URL('standard_fonts/', ASSETS).pathname,
    verbosity: VerbosityLevel.ERRORS,
  })
  try {
    return await readPages(await task.promise.catch(refuse), bytes)
  } finally {
    await task.destroy()
  }
}

async function readPages(pdf: PDFDocumentProxy, bytes: Buffer): Promise<Document> {
  const pages: Line[][] = []
  const unreadable: number[] = []
  for (let number = 1; number <= pdf.numPages; number++) {
    try {
      pages.push(await readPage(await pdf.getPage(number), number))
    } catch {
      unreadable.push(number)
    }
  }
  if (pages.length === 0) throw new ConversionError('broken', 'is damaged: none of its pages can be read')
  const silent = pages.filter((lines) => lines.length === 0).length
  if (silent === pages.length)
    throw new ConversionError('empty', 'holds no text; it is probably a scan, and text in images is not read')
  const warnings: string[] = []
  if (unreadable.length > 0)
    warnings.push(`Pages that cannot be read were left out: ${listNumbers(unreadable)}.`)
  if (silent > 0) warnings.push(`Pages without text: ${String(silent)} of ${String(pdf.numPages)}.`)
  if (!bytes.subarray(-END_MARK_BYTES).includes('%%EOF'))
    warnings.push('The file has no end mark; it may be cut short.')
  const title = await readTitle(pdf)
  return {
    ...(title && { title }),
    blocks: toBlocks(dropRunningLines(pages)),
    pages: pdf.numPages,
    warnings,
  }
}

async function readPage(page: PDFPageProxy, number: number): Promise<Line[]> {
  const { items } = await page.getTextContent()
  const lines = toLines(
    items.filter((item) => 'str' in item),
    number,
  )
  page.cleanup()
  return lines
}

async function readTitle(pdf: PDFDocumentProxy): Promise<string | undefined> {
  const { info } = await pdf.getMetadata().catch(() => ({ info: {} }))
  const title =
    'Title' in info && typeof info.Title === 'string' ? info.Title.replace(/\s+/g, ' ').trim() : ''
  return title || undefined
}

/** pdf.js tells its errors apart by name. */
function refuse(error: unknown): never {
  if (error instanceof Error && error.name === 'PasswordException')
    throw new ConversionError('encrypted', 'is protected with a password', { cause: error })
  throw new ConversionError('broken', 'is damaged: it cannot be read as a PDF', { cause: error })
}

function listNumbers(numbers: readonly number[]): string {
  const shown = numbers.slice(0, 20).join(', ')
  return numbers.length > 20 ? `${shown} and ${String(numbers.length - 20)} more` : shown
}
