import { sniffDelimiter } from './csv.ts'
import { ConversionError } from './conversion-error.ts'
import { looksBinary } from './decode.ts'
import { listMembers } from './zip.ts'

export type Format = 'pdf' | 'docx' | 'html' | 'md' | 'csv'

const LABELS: Readonly<Record<Format, string>> = {
  pdf: 'PDF',
  docx: 'a Word document',
  html: 'HTML',
  md: 'text or Markdown',
  csv: 'delimited text (CSV)',
}
const SUPPORTED = 'supported are PDF, DOCX, HTML, Markdown and CSV'
const EXTENSIONS: Readonly<Record<string, Format>> = {
  pdf: 'pdf',
  docx: 'docx',
  dotx: 'docx',
  docm: 'docx',
  html: 'html',
  htm: 'html',
  xhtml: 'html',
  md: 'md',
  markdown: 'md',
  txt: 'md',
  text: 'md',
  csv: 'csv',
  tsv: 'csv',
}

/** Leading bytes, as latin1, of what people upload by mistake: named, so that the answer is not "unknown". */
const SIGNATURES: readonly (readonly [magic: string, label: string])[] = [
  ['\x89PNG', 'a PNG image'],
  ['\xff\xd8\xff', 'a JPEG image'],
  ['GIF8', 'a GIF image'],
  ['II*\0', 'a TIFF image'],
  ['MM\0*', 'a TIFF image'],
  ['RIFF', 'a RIFF file (WebP, WAV or AVI)'],
  ['\x1f\x8b', 'gzip data'],
  ['BZh', 'bzip2 data'],
  ['7z\xbc\xaf', 'a 7z archive'],
  ['Rar!', 'a RAR archive'],
  ['{\\rtf', 'RTF'],
  ['%!PS', 'PostScript'],
  ['\x7fELF', 'a program'],
  ['MZ', 'a program'],
]

/**
 * Finds a document's format: leading bytes first, then the extension (in any case), then the look of the text.
 * @throws ConversionError `empty`; `format_mismatch` where name and bytes contradict each other; `unsupported_format` for
 *   anything else; `encrypted` for a password-protected office file. Messages say what was found.
 */
export function detectFormat(name: string, bytes: Buffer): Format {
  if (bytes.length === 0) throw new ConversionError('empty', 'is empty (0 bytes)')
  const extension = /\.([^./\\]{1,16})$/.exec(name)?.[1]?.toLowerCase() ?? ''
  const byName = Object.hasOwn(EXTENSIONS, extension) ? EXTENSIONS[extension] : undefined
  const byBytes = formatByBytes(bytes, byName)
  if (byBytes) {
    if (byName && byName !== byBytes) throw mismatch(extension, LABELS[byBytes])
    return byBytes
  }
  return textFormat(bytes.toString('utf8', 0, 8192), extension, byName)
}

function formatByBytes(bytes: Buffer, byName: Format | undefined): Format | undefined {
  const head = bytes.toString('latin1', 0, 1024)
  // Readers accept a header that is not at the very start (PDF 1.7, appendix H, note 13).
  if (head.includes('%PDF-') && !(byName && isText(byName))) return 'pdf'
  if (head.startsWith('%PDF-')) return 'pdf'
  if (head.startsWith('PK\x03\x04')) return officeFormat(bytes)
  if (head.startsWith('\xd0\xcf\x11\xe0')) throw compoundFile(bytes)
  const known = SIGNATURES.find(([magic]) => head.startsWith(magic))
  // `MZ` and `BZh` also begin ordinary words: a signature without a control character counts only in binary data.
  if (known && (looksBinary(bytes) || !/^[\x20-\x7e]+$/.test(known[0]) || known[1] === 'RTF'))
    throw new ConversionError('unsupported_format', `is ${known[1]}, which is not supported (${SUPPORTED})`)
  if (looksBinary(bytes)) {
    if (byName) throw mismatch('', 'binary data of no known kind', byName)
    throw new ConversionError('unsupported_format', `is binary data of no known kind (${SUPPORTED})`)
  }
  return undefined
}

function textFormat(head: string, extension: string, byName: Format | undefined): Format {
  const looksHtml =
    /^\ufeff?\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!--[^]{0,2000}?-->\s*)*<(?:!doctype\s+html|html)\b/i.test(
      head,
    )
  if (byName) {
    if (!isText(byName)) throw mismatch(extension, looksHtml ? 'HTML' : 'plain text')
    if (byName === 'csv' && looksHtml) throw mismatch(extension, 'HTML')
    return byName
  }
  if (looksHtml) return 'html'
  if (extension !== '')
    throw new ConversionError(
      'unsupported_format',
      `has the extension .${extension}, which is not supported (${SUPPORTED})`,
    )
  const table = sniffDelimiter(head)
  return table && head.includes('\n') && table.delimiter !== ':' && table.agreement > 0.9 ? 'csv' : 'md'
}

function officeFormat(bytes: Buffer): Format {
  const names = listMembers(bytes).map((member) => member.name)
  if (names.some((name) => name.startsWith('word/'))) return 'docx'
  const found = names.some((name) => name.startsWith('xl/'))
    ? 'an Excel workbook'
    : names.some((name) => name.startsWith('ppt/'))
      ? 'a PowerPoint presentation'
      : names.includes('mimetype')
        ? 'an OpenDocument or EPUB file'
        : 'a ZIP archive'
  throw new ConversionError('unsupported_format', `is ${found}, which is not supported (${SUPPORTED})`)
}

/** Encrypted OOXML is a compound file with a stream named EncryptedPackage (MS-OFFCRYPTO 2.3.4); others are Office 97. */
function compoundFile(bytes: Buffer): ConversionError {
  if (bytes.includes(Buffer.from('EncryptedPackage', 'utf16le')))
    return new ConversionError('encrypted', 'is protected with a password')
  return new ConversionError(
    'unsupported_format',
    `is a legacy Office file (.doc, .xls, .ppt), which is not supported (${SUPPORTED})`,
  )
}

function isText(format: Format): boolean {
  return format === 'md' || format === 'csv' || format === 'html'
}

function mismatch(extension: string, found: string, expected?: Format): ConversionError {
  const claim = expected ? LABELS[expected] : `.${extension}`
  return new ConversionError('format_mismatch', `is named as ${claim} but its content is ${found}`)
}
