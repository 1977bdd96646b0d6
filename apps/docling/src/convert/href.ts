/** Schemes that lead somewhere. `javascript:` or `data:` in a link would run in whatever page shows the Markdown. */
const SCHEMES = new Set(['http', 'https', 'mailto', 'tel', 'ftp'])
const MAX_HREF_CHARS = 4096

/**
 * @returns a link target that is safe to write into Markdown's `(...)`, or undefined if there is none or its scheme is not
 * one that documents link to. Relative targets and fragments stay as they are.
 */
export function safeHref(href: string | undefined): string | undefined {
  // URL parsers skip tabs, newlines and control characters, so `java\nscript:` has to be seen as one word here too.
  const cleaned = href?.replace(/\p{Cc}/gu, '').trim()
  if (!cleaned || cleaned.length > MAX_HREF_CHARS) return undefined
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(cleaned)?.[1]
  if (scheme && !SCHEMES.has(scheme.toLowerCase())) return undefined
  return cleaned.replace(isBalanced(cleaned) ? /[\s<>]/g : /[\s()<>]/g, encodeForMarkdown)
}

/** Parentheses in pairs may stand in a target as they are (CommonMark 0.31, 6.3). */
function isBalanced(href: string): boolean {
  let open = 0
  for (const character of href) {
    if (character === '(') open++
    if (character === ')' && --open < 0) return false
  }
  return open === 0
}

function encodeForMarkdown(character: string): string {
  if (character === '(') return '%28'
  if (character === ')') return '%29'
  return encodeURIComponent(character)
}
