import mammoth from 'mammoth'
import { ConversionError } from './conversion-error.ts'
import type { Document } from './document.ts'
import { readHtmlText } from './html.ts'
import { checkArchive, listMembers } from './zip.ts'

const MAX_WARNINGS = 20
const MAX_WARNING_CHARS = 200

/** Word's title is the document's; its "Heading 1" is the first level of sections below that. */
const STYLE_MAP = [
  "p[style-name='Title'] => h1:fresh",
  "p[style-name='Subtitle'] => p:fresh",
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((level) =>
    ['heading', 'Heading'].map(
      (name) => `p[style-name='${name} ${String(level)}'] => h${String(Math.min(level + 1, 6))}:fresh`,
    ),
  ),
]

/**
 * Reads a Word document by way of HTML. The archive is proved harmless first; images are placeholders, linked files
 * are not followed.
 * @throws ConversionError `broken`, `encrypted`, `too_large`.
 */
export async function readDocx(bytes: Buffer): Promise<Document> {
  checkArchive(bytes)
  if (!listMembers(bytes).some((member) => member.name === '[Content_Types].xml'))
    throw new ConversionError('broken', 'is damaged: it has no list of content types')
  const { value, messages } = await toHtml(bytes)
  const warnings = [...new Set(messages.map(({ message }) => message.slice(0, MAX_WARNING_CHARS)))]
  return { ...readHtmlText(value), warnings: warnings.slice(0, MAX_WARNINGS) }
}

async function toHtml(buffer: Buffer) {
  try {
    return await mammoth.convertToHtml(
      { buffer },
      {
        styleMap: STYLE_MAP,
        externalFileAccess: false,
        // Never reads the image: its bytes would be inlined as base64 only to be dropped again.
        convertImage: mammoth.images.imgElement(() => Promise.resolve({ src: '' })),
      },
    )
  } catch (error) {
    throw new ConversionError('broken', 'is damaged: its Word content cannot be read', { cause: error })
  }
}
