/**
 * The members that hold what a model has written, in whichever protocol: what it says and thinks, and the arguments of its tools,
 * which are a text or an object.
 */
const TEXTS = [
  ...['content', 'text', 'completion', 'delta', 'refusal'],
  ...['reasoning', 'reasoning_content', 'thinking', 'arguments', 'partial_json'],
]
const ARGUMENTS = ['args', 'input']
const WRITTEN = new RegExp(
  `"(?:(?:${TEXTS.join('|')})"\\s*:\\s*(?=")|(?:${ARGUMENTS.join('|')})"\\s*:\\s*(?=["{]))`,
  'g',
)

/**
 * How much of a JSON text a model has written, in bytes, escapes as they stand; the text may break off anywhere. It is looked through
 * and not parsed: that takes a third of the time, for each frame of each stream.
 */
export function textBytesOf(json: string): number {
  let bytes = 0
  WRITTEN.lastIndex = 0
  while (WRITTEN.test(json)) {
    const start = WRITTEN.lastIndex
    const end = json[start] === '"' ? endOfString(json, start) : endOfObject(json, start)
    bytes += Buffer.byteLength(json.slice(start + 1, Math.max(start + 1, end - 1)))
    WRITTEN.lastIndex = end
  }
  return bytes
}

/** The one estimate of what was written, where the provider has not counted it: four bytes a token. */
export function estimateTokens(textBytes: number): number {
  return Math.ceil(textBytes / 4)
}

/** Behind the string whose opening mark is at `from`; the end of the text when it has no end. */
function endOfString(json: string, from: number): number {
  let at = from + 1
  for (;;) {
    const quote = json.indexOf('"', at)
    if (quote === -1) return json.length
    let escapes = 0
    while (json[quote - 1 - escapes] === '\\') escapes++
    if (escapes % 2 === 0) return quote + 1
    at = quote + 1
  }
}

function endOfObject(json: string, from: number): number {
  let depth = 0
  let at = from
  while (at < json.length) {
    const char = json[at]
    if (char === '"') {
      at = endOfString(json, at)
      continue
    }
    at++
    if (char === '{') depth++
    else if (char === '}') depth--
    if (depth === 0) return at
  }
  return at
}
