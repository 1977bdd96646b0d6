import { Problem } from '@waybill/service-kit'
import type { Request } from 'express'

export interface ArrivalLimits {
  /** Aborted when the client goes away or the time of the whole request is up. */
  signal: AbortSignal
  /** Milliseconds from now until the body must be here. */
  timeoutMs: number
}

/**
 * What `read` makes of the body of `req`. `read` pipes it, so that nothing more is kept of a body that came too late.
 * @throws Problem timeout after `timeoutMs`; the signal's reason when aborted; what `read` throws
 */
export async function withinArrival<T>(
  req: Request,
  { signal, timeoutMs }: ArrivalLimits,
  read: () => Promise<T>,
): Promise<T> {
  const { promise: givenUp, reject } = Promise.withResolvers<never>()
  const onAbort = () => {
    const { reason } = signal as { reason: unknown } // typed any in the DOM library
    reject(reason instanceof Error ? reason : new Error('The request was given up.', { cause: reason }))
  }
  const clock = setTimeout(() => reject(tooSlow(timeoutMs)), timeoutMs)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([read(), givenUp])
  } finally {
    clearTimeout(clock)
    signal.removeEventListener('abort', onAbort)
    req.unpipe()
  }
}

function tooSlow(timeoutMs: number): Problem {
  return new Problem(
    'timeout',
    `The document did not arrive within ${timeoutMs} ms (DOCLING_UPLOAD_TIMEOUT_MS).`,
    // The rest of the body would go on trickling in on this connection.
    { headers: { Connection: 'close' } },
  )
}
