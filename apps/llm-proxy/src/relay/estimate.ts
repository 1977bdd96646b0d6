/** What an image or a file counts, whatever it has in bytes. */
const ATTACHMENT_TOKENS = 1_000
/** A text without any space in its beginning is no text: an image in base64 for one. */
const ATTACHMENT_CHARS = 2_000

/**
 * How many tokens of input a request has, before anybody has counted: its texts at four characters a token, and its numbers,
 * which may be tokens already, at one each.
 */
export function estimateInput(body: unknown): number {
  let tokens = 0
  // A list of what is still to look at, and no recursion: depth is the client's to choose.
  const waiting: unknown[] = [body]
  while (waiting.length > 0) {
    const value = waiting.pop()
    if (typeof value === 'string') tokens += tokensOf(value)
    else if (typeof value === 'number') tokens++
    else if (typeof value === 'object' && value !== null) {
      for (const inner of Object.values(value)) waiting.push(inner)
    }
  }
  return tokens
}

function tokensOf(text: string): number {
  const isAttachment = text.length >= ATTACHMENT_CHARS && !text.slice(0, ATTACHMENT_CHARS).includes(' ')
  return isAttachment ? ATTACHMENT_TOKENS : Math.ceil(text.length / 4)
}
