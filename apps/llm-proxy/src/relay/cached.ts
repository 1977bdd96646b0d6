import type { CachedAnswer } from '../cache/response-cache.ts'
import { OWN_OF_ANSWER } from './header-policy.ts'
import type { Recipient } from './recipient.ts'

/** Gives an answer that was given before, with `more` headers of this call. */
export function sendCached(
  { status, headers, body }: CachedAnswer,
  res: Recipient,
  more: Readonly<Record<string, string>>,
): void {
  res.statusCode = status
  for (const [name, value] of Object.entries({ ...OWN_OF_ANSWER, ...more, ...headers }))
    res.setHeader(name, value)
  res.setHeader('X-Waybill-Cache', 'hit')
  res.setHeader('Content-Length', body.length)
  res.end(body)
}
