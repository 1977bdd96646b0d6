import type { CachedAnswer } from '../cache/response-cache.ts'
import type { Recipient } from './recipient.ts'

/** Gives an answer that was given before. */
export function sendCached(
  { status, headers, body }: CachedAnswer,
  res: Recipient,
  limitHeaders: Readonly<Record<string, string>>,
): void {
  res.statusCode = status
  for (const [name, value] of Object.entries({ ...limitHeaders, ...headers })) res.setHeader(name, value)
  res.setHeader('X-Waybill-Cache', 'hit')
  res.setHeader('Content-Length', body.length)
  res.end(body)
}
