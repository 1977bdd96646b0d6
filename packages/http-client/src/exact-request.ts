import type { Readable } from 'node:stream'

/** What a request carries besides its head. */
export type WireBody = string | Buffer | Readable | undefined

type Headers = Record<string, string | string[]>

/** The path and query of a URL as they were written: neither dots nor encodings are resolved. */
export function exactPath(url: string): string {
  const path = /^https?:\/\/[^/?#]*([^#]*)/i.exec(url)?.[1] ?? ''
  if (path === '') return '/'
  return path.startsWith('?') ? `/${path}` : path
}

const DEFAULTS = { 'User-Agent': 'waybill', Accept: '*/*', 'Accept-Encoding': 'identity' }

/** `headers`, with our defaults for those that are not among them, in whatever case, and with how the end of the body is told. */
export function headersToSend(headers: Headers, body: WireBody): Headers {
  const given = new Set(Object.keys(headers).map((name) => name.toLowerCase()))
  const defaults = { ...DEFAULTS, ...framing(body, given) }
  const rest = Object.entries(defaults).filter(([name]) => !given.has(name.toLowerCase()))
  return { ...Object.fromEntries(rest), ...headers }
}

/**
 * How the end of the body is told. node frames a body of unknown length by itself for POST, but writes it bare for GET or
 * DELETE, where the neighbour would read it as the next request on the connection.
 */
function framing(body: WireBody, given: ReadonlySet<string>): Record<string, string> {
  if (body === undefined) return {}
  if (typeof body === 'string' || body instanceof Uint8Array)
    return { 'Content-Length': String(Buffer.byteLength(body)) }
  return given.has('content-length') ? {} : { 'Transfer-Encoding': 'chunked' }
}
