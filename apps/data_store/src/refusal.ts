import { DownstreamError } from '@waybill/http-client'
import { Problem } from '@waybill/service-kit'

const marked = new WeakSet<Error>()

/** Says of what a write has thrown that all is as it was before. Only for whoever knows it for sure; gives the error back. */
export function nothingDone<E>(error: E): E {
  if (error instanceof Error) marked.add(error)
  return error
}

/**
 * Whether the write that has thrown `error` has done nothing, for sure: it was refused, it never reached the store, or whoever knows has
 * said so by nothingDone(). After any other failure nobody knows.
 */
export function didNothing(error: unknown): boolean {
  if (error instanceof Error && marked.has(error)) return true
  if (error instanceof DownstreamError && !error.sent) return true
  return error instanceof Problem && (error.status < 499 || error.status === 501)
}
