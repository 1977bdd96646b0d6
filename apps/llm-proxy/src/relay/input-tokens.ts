/** What an image or a file counts at most, whatever it has in bytes. */
const ATTACHMENT_TOKENS = 1_000

/**
 * How many tokens of input a request has, before anybody has counted: its texts at four bytes a token, and its numbers, which
 * may be tokens already, at one each.
 */
export function estimateInput(body: unknown): number {
  let tokens = 0
  // A list of what is still to look at, and no recursion: depth is the client's to choose.
  const waiting: unknown[] = [body]
  while (waiting.length > 0) {
    const value = waiting.pop()
    if (typeof value === 'string') tokens += tokensOf(value)
    else if (typeof value === 'number') tokens++
    else if (Array.isArray(value)) for (const inner of value) waiting.push(inner)
    else if (typeof value === 'object' && value !== null) {
      for (const [name, inner] of Object.entries(value)) {
        if (typeof inner !== 'string') waiting.push(inner)
        else tokens += isAttachment(name, inner, value) ? ATTACHMENT_TOKENS : tokensOf(inner)
      }
    }
  }
  return tokens
}

function tokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4)
}

/** Texts this short count as such, wherever they stand. */
const SHORT_CHARS = 4 * ATTACHMENT_TOKENS
/** Where OpenAI has data URLs of images and files. */
const URL_MEMBERS = new Set(['url', 'image_url', 'file_data'])
const DATA_URL = /^data:(?:image|audio|video|application)\/[\w.+-]+;base64,/i
const MEDIA_TYPE = /^(?:image|audio|video)\/|^application\/pdf$/i

/** An image, a sound or a file in base64, where the vendors' protocols have them; a model is given it as such, not as text. */
function isAttachment(name: string, text: string, holder: object): boolean {
  if (text.length <= SHORT_CHARS || text.includes(' ')) return false
  if (URL_MEMBERS.has(name)) return DATA_URL.test(text)
  if (name !== 'data') return false
  // Anthropic's `source`, Gemini's `inlineData`, OpenAI's `input_audio`.
  const { type, media_type, mimeType, mime_type, format } = holder as Record<string, unknown> // any object has members by name
  const media = media_type ?? mimeType ?? mime_type
  if (media === undefined) return typeof format === 'string'
  return type !== 'text' && typeof media === 'string' && MEDIA_TYPE.test(media)
}
