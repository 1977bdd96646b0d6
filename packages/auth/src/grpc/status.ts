import { Metadata, status } from '@grpc/grpc-js'
import { challengeFor, problemDocument, REQUEST_ID_HEADER } from '@waybill/service-kit'
import type { Problem } from '@waybill/service-kit'

/** An error as a call ends with it. */
export interface CallFailure {
  code: status
  details: string
  metadata: Metadata
}

/** gRPC's code for the HTTP status of a problem; what is not here is INTERNAL. */
const CODES: Record<number, status> = {
  400: status.INVALID_ARGUMENT,
  401: status.UNAUTHENTICATED,
  403: status.PERMISSION_DENIED,
  404: status.NOT_FOUND,
  405: status.UNIMPLEMENTED,
  409: status.ALREADY_EXISTS,
  412: status.FAILED_PRECONDITION,
  413: status.RESOURCE_EXHAUSTED,
  415: status.INVALID_ARGUMENT,
  422: status.INVALID_ARGUMENT,
  428: status.FAILED_PRECONDITION,
  429: status.RESOURCE_EXHAUSTED,
  499: status.CANCELLED,
  501: status.UNIMPLEMENTED,
  503: status.UNAVAILABLE,
  504: status.DEADLINE_EXCEEDED,
}

/**
 * `problem` as the status of a call: the same words as over HTTP, with its stable `code`, the request id, and the
 * challenge or `retry-after` that HTTP would have in its headers, in the trailing metadata.
 */
export function failureOf(problem: Problem): CallFailure {
  const { code, detail, request_id: requestId } = problemDocument(problem)
  const metadata = new Metadata()
  metadata.set('code', code)
  if (requestId !== undefined) metadata.set(REQUEST_ID_HEADER, requestId)
  const challenge = challengeFor(problem)
  if (challenge !== undefined) metadata.set('www-authenticate', challenge)
  const retryAfter = problem.headers['Retry-After']
  if (retryAfter !== undefined) metadata.set('retry-after', retryAfter)
  // Half of a surrogate pair cannot be sent.
  return { code: CODES[problem.status] ?? status.INTERNAL, details: detail.toWellFormed(), metadata }
}
