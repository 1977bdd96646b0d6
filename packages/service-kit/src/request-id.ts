import { randomUUID } from 'node:crypto'
import { redact } from './redact.ts'

export const REQUEST_ID_HEADER = 'X-Request-ID'

const ACCEPTABLE = /^[\w.-]{1,64}$/

/**
 * The caller's request id when it is harmless to log and forward, else a new one: an id is no place for an injection, nor
 * for a credential that was put into the wrong header, since it is written everywhere.
 */
export function acceptRequestId(header: string | string[] | undefined): string {
  const isHarmless = typeof header === 'string' && ACCEPTABLE.test(header) && redact(header) === header
  return isHarmless ? header : randomUUID()
}
