const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])

/** What is wrong with a URL that isOrigin() refuses. */
export const NOT_AN_ORIGIN = 'must be an https origin such as https://db.example.org, or http on this machine'

/**
 * Whether a URL is a scheme, a host and a port, and nothing else: no credentials, path, query or fragment. What is secret goes
 * there with every call, so that it may not leave the machine in the clear.
 */
export function isOrigin(text: string): boolean {
  const url = URL.parse(text)
  if (url?.href !== `${url?.origin ?? ''}/`) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname))
}
