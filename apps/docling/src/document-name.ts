const MAX_NAME_CHARS = 200

/**
 * @returns the last part of a path as clients send it (some send the whole path, with either slash), without control
 * characters; `document` where nothing usable is left. The extension survives shortening.
 */
export function documentName(sent: string): string {
  const base = sent.split(/[\\/]/).at(-1) ?? ''
  const name = base
    .replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, '')
    .toWellFormed()
    .trim()
  if (name === '' || name === '.' || name === '..') return 'document'
  if (name.length <= MAX_NAME_CHARS) return name
  const extension = /\.[^.]{1,16}$/.exec(name)?.[0] ?? ''
  return name.slice(0, MAX_NAME_CHARS - extension.length) + extension
}
