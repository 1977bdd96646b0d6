import { Problem, unavailable } from '@waybill/service-kit'
import { codeOf } from './rest-answer.ts'
import type { RestAnswer } from './rest-answer.ts'

/** Two transactions in each other's way. */
const CONTENTION = new Set(['40001', '40P01', '55P03'])
/** The statement took too long; no connection of the pool was free in time (PGRST003). */
const TOO_LONG = new Set(['57014', '25P04', 'PGRST003'])
/** PostgREST has lost its database, or has not read the schema yet. */
const GONE = new Set(['PGRST000', 'PGRST001', 'PGRST002', '57P01', '57P02', '57P03', '53300', '53400'])

/**
 * What stands in the way of an answer, whatever was asked for, as the client may see it: nothing that the database said, which may
 * hold data.
 */
export function restProblem(answer: RestAnswer, name: string): Problem {
  const code = codeOf(answer)
  const { status } = answer
  if (CONTENTION.has(code)) return contended()
  if (TOO_LONG.has(code) || status === 504 || status === 522 || status === 524) {
    return new Problem('timeout', `${name} took too long.`)
  }
  if (GONE.has(code) || code.startsWith('08') || isGatewayFailure(status)) return unavailable(name)
  return new Problem('upstream_failed', `${name} failed.`)
}

export function contended(): Problem {
  return new Problem('unavailable', 'Another request is at work on the same data.', {
    headers: { 'Retry-After': '1' },
  })
}

/** Without a word of PostgREST: what stands before it says that it is away, or that there were too many requests. */
function isGatewayFailure(status: number): boolean {
  return status === 429 || status === 502 || status === 503 || (status >= 520 && status <= 530)
}
