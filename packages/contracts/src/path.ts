/**
 * Whether two who read the same path could take it for different ones: by segments of dots, by slashes and backslashes that
 * are encoded or doubled, by parameters or a fragment, by control characters or an encoding that is none. It is judged as it
 * stands on the wire, without its query.
 */
export function isAmbiguousPath(path: string): boolean {
  // `//` is in every absolute URL too, which HTTP allows in place of a path.
  return /\\|%2f|%5c|\/\/|;|#|\/(?:\.|%2e){1,2}(?:\/|$)|%[01]|%7f|%(?![\da-f]{2})/i.test(path)
}
