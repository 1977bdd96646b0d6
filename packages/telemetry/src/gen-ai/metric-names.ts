/** Of so many models a process has metrics of their own. */
const MOST_NAMES = 200
const OTHER = '_OTHER'

const known = new Set<string>()

/**
 * A model's name as metrics have it: `_OTHER` when there are many already. Each name is some series of its own, and there are
 * servers that answer to any name.
 */
export function nameInMetrics(name: string): string {
  if (known.has(name)) return name
  if (known.size >= MOST_NAMES) return OTHER
  known.add(name)
  return name
}
