import { randomUUID } from 'node:crypto'

export const REQUEST_ID_HEADER = 'X-Request-ID'

const ACCEPTABLE = /^[\w.-]{1,64}$/

/** The caller's request id when it is harmless to log and forward, else a new one: an id is no place for an injection. */
export function acceptRequestId(header: string | string[] | undefined): string {
  return typeof header === 'string' && ACCEPTABLE.test(header) ? header : randomUUID()
}
