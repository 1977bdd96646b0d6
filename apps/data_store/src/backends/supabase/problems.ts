import { codeOf, restProblem } from '@waybill/http-client'
import type { RestAnswer } from '@waybill/http-client'
import { Problem, unavailable } from '@waybill/service-kit'

const NAME = 'The backend supabase'

/** A policy or a missing GRANT stands in the way: Postgres' code is the same. */
export const NO_PRIVILEGE = '42501'
/** SQLSTATEs of data that Postgres cannot keep: text, number, time or JSON that does not fit, a check that fails. */
const DOES_NOT_FIT = new Set([
  ...['22P02', '22P05', '22021', '22003', '22007', '22008', '23514', '54000', '54001'],
])

/** What stands in the way of an answer, as the client may see it: nothing that the database said, which may hold data. */
export function problemFor(answer: RestAnswer): Problem {
  const code = codeOf(answer)
  const { status } = answer
  if (code === NO_PRIVILEGE) return new Problem('forbidden', `${NAME} does not allow this for whom you are.`)
  if (code === '23505') return new Problem('conflict', 'There is a record with that id already.')
  if (DOES_NOT_FIT.has(code)) return new Problem('unprocessable', 'The data cannot be kept in Postgres.')
  if (status === 413) return new Problem('payload_too_large', `${NAME} does not take a body of that size.`)
  return restProblem(answer, NAME)
}

/** The schema of the project is not as it should be, or PostgREST has not read it anew. */
export function schemaIsStale(): Problem {
  return unavailable(`${NAME} has no such collection, or has not heard of it yet: it`, { retryAfter: 30 })
}

export function unexpectedForm(): Problem {
  return new Problem('upstream_failed', `${NAME} answered in an unexpected form.`)
}
