/**
 * A path as it is judged: whatever its case, with or without a slash at its end, and with encoded characters of ASCII as they are
 * read. Servers differ in which of these spellings they take for the same; what goes to them is the path as it came.
 */
export function judgedPath(path: string): string {
  return plainPath(path).toLowerCase().replace(/\/$/, '')
}

/** A path with its encoded characters of ASCII decoded, and all others as they are. */
export function plainPath(path: string): string {
  return path.replaceAll(/%([2-7][\da-f])/gi, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  )
}
