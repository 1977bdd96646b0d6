import { Problem, unavailable } from '@waybill/service-kit'
import { codeOf } from './rest-answer.ts'
import type { RestAnswer } from './rest-answer.ts'

const NAME = 'The backend supabase'

/** A policy or a missing GRANT stands in the way: Postgres' code is the same. */
export const NO_PRIVILEGE = '42501'
/** SQLSTATEs of data that Postgres cannot keep: text, number, time or JSON that does not fit, a check that fails. */
const DOES_NOT_FIT = new Set([
  ...['22P02', '22P05', '22021', '22003', '22007', '22008', '23514', '54000', '54001'],
])
/** Two transactions in each other's way. */
const CONTENTION = new Set(['40001', '40P01', '55P03'])
/** The statement took too long; no connection of the pool was free in time (PGRST003). */
const TOO_LONG = new Set(['57014', '25P04', 'PGRST003'])
/** PostgREST has lost its database, or has not read the schema yet. */
const GONE = new Set(['PGRST000', 'PGRST001', 'PGRST002', '57P01', '57P02', '57P03', '53300', '53400'])

/** What stands in the way of an answer, as the client may see it: nothing that the database said, which may hold data. */
export function problemFor(answer: RestAnswer): Problem {
  const code = codeOf(answer)
  const { status } = answer
  if (code === NO_PRIVILEGE) return new Problem('forbidden', `${NAME} does not allow this for whom you are.`)
  if (code === '23505') return new Problem('conflict', 'There is a record with that id already.')
  if (DOES_NOT_FIT.has(code)) return new Problem('unprocessable', 'The data cannot be kept in Postgres.')
  if (CONTENTION.has(code)) return contended()
  if (TOO_LONG.has(code) || status === 504 || status === 522 || status === 524) {
    return new Problem('timeout', `${NAME} took too long.`)
  }
  if (GONE.has(code) || code.startsWith('08') || isGatewayFailure(status)) return unavailable(NAME)
  if (status === 413) return new Problem('payload_too_large', `${NAME} does not take a body of that size.`)
  return new Problem('upstream_failed', `${NAME} failed.`)
}

/** Without a word of PostgREST: what stands before it says that it is away, or that there were too many requests. */
function isGatewayFailure(status: number): boolean {
  return status === 429 || status === 502 || status === 503 || (status >= 520 && status <= 530)
}

/** The schema of the project is not as it should be, or PostgREST has not read it anew. */
export function schemaIsStale(): Problem {
  return unavailable(`${NAME} has no such collection, or has not heard of it yet: it`, { retryAfter: 30 })
}

export function contended(): Problem {
  return new Problem('unavailable', 'Another request is at work on the same data.', {
    headers: { 'Retry-After': '1' },
  })
}

export function unexpectedForm(): Problem {
  return new Problem('upstream_failed', `${NAME} answered in an unexpected form.`)
}
