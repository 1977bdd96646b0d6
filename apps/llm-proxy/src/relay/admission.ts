import type { IncomingMessage } from 'node:http'
import type { UserPrincipal } from '@waybill/service-kit'
import type { Meter } from '../usage/meter.ts'

/** A body of no more bytes is read at once: it costs little, and all that the call needs is then reserved in one step. */
const SMALL_BODY_BYTES = 64 * 1024

/**
 * Does `work` with a request: one whose body is large, or of no length that is told, takes its request and its place before
 * anything of it is read, and `work` hears that it has them.
 * @throws Problem rate_limited
 */
export async function admitted<T>(
  meter: Pick<Meter, 'enter'>,
  { headers }: Pick<IncomingMessage, 'headers'>,
  principal: UserPrincipal,
  work: (hasEntered: boolean) => Promise<T>,
): Promise<T> {
  const isSmall =
    headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) <= SMALL_BODY_BYTES
  if (isSmall) return work(false)
  const place = await meter.enter(principal)
  try {
    return await work(true)
  } finally {
    place.leave()
  }
}
