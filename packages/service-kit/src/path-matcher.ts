/** Whether a path belongs to an Express path pattern of literals, `:name` and a trailing `*name`. */
export function pathMatcher(pattern: string): (path: string) => boolean {
  const source = pattern
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/:\w+/g, '[^/]+')
    .replace(/\*\w+/g, '.+')
  const expression = new RegExp(`^${source}/?$`, 'i')
  return (path) => expression.test(path)
}
