import { Problem } from '@waybill/service-kit'

/** Why no answer came. Made from the socket's error without keeping it: axios errors hold the request with its token. */
export class WireError extends Error {
  override readonly name = 'WireError'
  /** `unconnected`: no connection in time. `private`: an address that may not be called. */
  readonly reason: 'refused' | 'unconnected' | 'broken' | 'timeout' | 'aborted' | 'private'

  constructor(reason: WireError['reason'], message: string) {
    super(message)
    this.reason = reason
  }

  /**
   * False when no connection was made: to an address that nobody listens at, that is not known, that may not be called, or
   * whose handshake failed.
   */
  get sent(): boolean {
    return this.reason !== 'refused' && this.reason !== 'unconnected' && this.reason !== 'private'
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

const REFUSED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN'])

/**
 * What an error of a connection stands for; nothing of it is kept but its code. Whatever comes before the connection is made
 * (`isConnected`: false), a failed handshake of TLS for one, has let nothing of the request out.
 */
export function wireErrorOf(
  error: Error & { code?: string },
  { isConnected = true }: { isConnected?: boolean } = {},
): WireError {
  if (error instanceof WireError) return error
  const { code = 'no code' } = error
  if (code === 'EPRIVATE') return new WireError('private', 'the address is not public')
  if (code === 'ERR_PEER_CERTIFICATE') return new WireError('refused', 'another service answers there')
  if (code === 'ETIMEDOUT')
    return isConnected
      ? new WireError('timeout', 'no answer in time')
      : new WireError('unconnected', 'no connection in time')
  if (!isConnected || REFUSED.has(code)) return new WireError('refused', `no connection (${code})`)
  return new WireError('broken', `the connection broke (${code})`)
}

/**
 * What is not about the connection, a header that cannot be sent for one, is nobody's fault but ours. Nothing of the error is kept
 * but its code: its message may quote what could not be written.
 */
export function unmade(error: unknown): Error {
  const { code, name } = error as NodeJS.ErrnoException // all that is thrown there is an Error
  return new Error(`the request could not be made (${code ?? name})`)
}
