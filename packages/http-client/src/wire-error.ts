import { Problem } from '@waybill/service-kit'

/** Why no answer came. Made from the socket's error without keeping it: axios errors hold the request with its token. */
export class WireError extends Error {
  override readonly name = 'WireError'
  readonly reason: 'refused' | 'broken' | 'timeout' | 'aborted' | 'private'

  constructor(reason: WireError['reason'], message: string) {
    super(message)
    this.reason = reason
  }

  /** False when no connection was made: to an address that nobody listens at, that is not known, or that may not be called. */
  get sent(): boolean {
    return this.reason !== 'refused' && this.reason !== 'private'
  }
}

/** What the reason of an abort signal stands for: the time was up, or the caller went away. */
export function ofAbort(reason: unknown): WireError {
  if (reason instanceof WireError) return reason
  const isTimeout =
    (reason instanceof Problem && reason.code === 'timeout') ||
    (reason instanceof DOMException && reason.name === 'TimeoutError')
  return isTimeout
    ? new WireError('timeout', 'no answer in time')
    : new WireError('aborted', 'the caller gave up')
}
