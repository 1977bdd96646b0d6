/**
 * The URL without the parameters of that name in its query; every other byte stays. Names are read as URLSearchParams reads
 * them, and so as whoever takes a credential from there.
 */
export function withoutParameter(url: string, name: string): string {
  const mark = url.indexOf('?')
  if (mark < 0) return url
  const pieces = url.slice(mark + 1).split('&')
  const kept = pieces.filter((piece) => !new URLSearchParams(piece).has(name))
  if (kept.length === pieces.length) return url
  return url.slice(0, mark) + (kept.length > 0 ? `?${kept.join('&')}` : '')
}
