/** How many milliseconds the caller still waits; sent on internal hops so that nobody works for a caller who is gone. */
export const TIMEOUT_HEADER = 'X-Request-Timeout-Ms'

/**
 * When this request must be finished, in milliseconds since the epoch: the route's own time, or less if the caller
 * says so. A header can only shorten it.
 */
export function deadlineFor(
  header: string | string[] | undefined,
  routeTimeoutMs: number,
  now = Date.now(),
): number {
  const asked =
    typeof header === 'string' && /^\d{1,9}$/.test(header) ? Number(header) : Number.POSITIVE_INFINITY
  return now + Math.min(routeTimeoutMs, asked)
}
