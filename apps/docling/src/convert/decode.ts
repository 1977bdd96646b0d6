import { TextDecoder } from 'node:util'

/** Text files are judged by their first bytes; further in, a stray NUL is removed, not held against the file. */
const SNIFFED_BYTES = 8192

/** @returns true if the bytes cannot be text: a NUL near the start and no byte order mark that would explain it. */
export function looksBinary(bytes: Uint8Array): boolean {
  return byteOrderMark(bytes) === undefined && bytes.subarray(0, SNIFFED_BYTES).includes(0)
}

/**
 * Bytes to text: by byte order mark, else by `declared` (an encoding label of the WHATWG list, ignored if unknown), else
 * UTF-8, and windows-1252 where the bytes are not valid UTF-8. A byte order mark is not part of the text.
 */
export function decodeText(bytes: Uint8Array, declared?: string): { text: string; warnings: string[] } {
  const marked = byteOrderMark(bytes)
  if (marked) return { text: new TextDecoder(marked).decode(bytes), warnings: [] }
  const decoder = declared === undefined ? undefined : decoderFor(declared)
  if (decoder && decoder.encoding !== 'utf-8') return { text: decoder.decode(bytes), warnings: [] }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), warnings: [] }
  } catch {
    return {
      text: new TextDecoder('windows-1252').decode(bytes),
      warnings: ['The text is not valid UTF-8; it was read as windows-1252.'],
    }
  }
}

function byteOrderMark(bytes: Uint8Array): string | undefined {
  const [a, b, c] = bytes
  if (a === 0xef && b === 0xbb && c === 0xbf) return 'utf-8'
  if (a === 0xff && b === 0xfe) return 'utf-16le'
  if (a === 0xfe && b === 0xff) return 'utf-16be'
  return undefined
}

function decoderFor(label: string): TextDecoder | undefined {
  try {
    return new TextDecoder(label)
  } catch {
    return undefined
  }
}
