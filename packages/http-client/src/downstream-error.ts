import { Problem, PROBLEMS } from '@waybill/service-kit'
import type { ProblemCode } from '@waybill/service-kit'
import type { WireError } from './wire-error.ts'

/** Which call failed, in words that hold nothing of the request: the path is the template, not what was filled in. */
export interface CallName {
  service: string
  method: string
  path: string
}

/** A call to a neighbour that did not succeed, as a Problem for our own caller. Safe to print: it holds no request. */
export class DownstreamError extends Problem {
  readonly call: CallName
  /** What the neighbour answered; undefined when it did not answer. */
  readonly downstreamStatus: number | undefined
  /** False when there was no connection, so that the neighbour has seen nothing of the request and has done nothing, for sure. */
  readonly sent: boolean

  constructor(
    code: ProblemCode,
    detail: string,
    call: CallName,
    status?: number,
    { headers = {}, sent = true }: { headers?: Record<string, string>; sent?: boolean } = {},
  ) {
    super(code, detail, { headers })
    this.name = 'DownstreamError'
    this.call = call
    this.downstreamStatus = status
    this.sent = sent
  }
}

/** An answer of more than CLIENT_MAX_ANSWER_BYTES, which was not read to its end: asking for less may help. */
export class AnswerTooLongError extends DownstreamError {
  constructor(call: CallName, maxBytes: number) {
    super('upstream_failed', `${call.service} answered with more than ${String(maxBytes)} bytes.`, call)
  }
}

/** No answer: 503 where the neighbour cannot be reached, 504 where it is too slow. */
export function fromWireError(error: WireError, call: CallName): DownstreamError {
  switch (error.reason) {
    case 'timeout':
      return new DownstreamError('timeout', `${call.service} did not answer in time.`, call)
    case 'unconnected':
      return new DownstreamError(
        'unavailable',
        `No connection to ${call.service} was had in time.`,
        call,
        undefined,
        { headers: { 'Retry-After': '1' }, sent: error.sent },
      )
    case 'aborted':
      return new DownstreamError('client_closed', 'The request was given up.', call)
    case 'private':
      return new DownstreamError('upstream_failed', `${call.service} may not be called.`, call, undefined, {
        sent: error.sent,
      })
    case 'refused':
    case 'broken':
      return new DownstreamError(
        'unavailable',
        `${call.service} cannot be reached at the moment.`,
        call,
        undefined,
        { headers: { 'Retry-After': '1' }, sent: error.sent },
      )
  }
}

/** Refusals of how the call was made, which is this service's doing and not the client's. */
const OURS = new Set([401, 405, 415])

/**
 * An answer that is no success. What the client can mend (4xx) keeps its code and words; what it cannot becomes 502,
 * except that busy stays busy (503) and slow stays slow (504). A 401 is the client's only where the call was made with
 * the client's own token.
 */
export function fromAnswer(
  call: CallName,
  answer: { status: number; retryAfter?: string | undefined; body: unknown; ownToken?: boolean },
): DownstreamError {
  const { status } = answer
  const told = answer.body as { code?: unknown; detail?: unknown } | undefined
  const retry: Record<string, string> =
    answer.retryAfter === undefined ? {} : { 'Retry-After': answer.retryAfter }
  if (status === 503) {
    const headers = { 'Retry-After': '1', ...retry }
    return new DownstreamError(
      'unavailable',
      `${call.service} is not available at the moment.`,
      call,
      status,
      { headers },
    )
  }
  if (status === 504)
    return new DownstreamError('timeout', `${call.service} did not finish in time.`, call, status)
  if (OURS.has(status) && !(status === 401 && answer.ownToken)) {
    return new DownstreamError(
      'upstream_failed',
      `${call.service} refused a call of this service.`,
      call,
      status,
    )
  }
  if (status >= 400 && status < 500) {
    const detail =
      typeof told?.detail === 'string' ? told.detail : `${call.service} answered ${String(status)}.`
    return new DownstreamError(codeFor(status, told?.code), detail, call, status, { headers: retry })
  }
  return new DownstreamError('upstream_failed', `${call.service} failed.`, call, status)
}

function codeFor(status: number, told: unknown): ProblemCode {
  const codes = Object.entries(PROBLEMS) as [ProblemCode, readonly [number, string]][]
  const same = codes.filter(([, [known]]) => known === status)
  return same.find(([code]) => code === told)?.[0] ?? same[0]?.[0] ?? 'bad_request'
}
