import { z } from 'zod'

/** What PostgREST answered. */
export interface RestAnswer {
  status: number
  headers: Record<string, unknown>
  body: unknown
}

const errorBody = z.object({ code: z.string() })

/** PostgREST's own code (`PGRST301`) or Postgres' SQLSTATE (`42501`); empty when the answer has none. */
export function codeOf({ body }: RestAnswer): string {
  const parsed = errorBody.safeParse(body)
  return parsed.success ? parsed.data.code : ''
}

export function isSuccess({ status }: RestAnswer): boolean {
  return status >= 200 && status < 300
}

/** The token was not believed: it has expired, or PostgREST does not know its key or audience. */
export function isRefusedToken(answer: RestAnswer): boolean {
  // 42501 with 401 is what a role without the privilege is told that came without a token.
  return answer.status === 401 && codeOf(answer) !== '42501'
}

/** The connection to Postgres was lost, perhaps while it was committing. */
const LOST = /^(08|57P01$|57P02$|57P05$|25P04$|PGRST001$)/

/** Whether an answer that is no success says for sure that nothing was done: Postgres has rolled it back, or it never got there. */
export function hasDoneNothing(answer: RestAnswer): boolean {
  const code = codeOf(answer)
  return code === '' ? answer.status === 401 || answer.status === 429 : !LOST.test(code)
}

const NOT_IN_SCHEMA = new Set(['PGRST200', 'PGRST202', 'PGRST204', 'PGRST205', '42P01', '42703', '42883'])

/** A table, column or function is not there, or has come since PostgREST last read the schema: the answer is the same. */
export function isUnknownToSchema(answer: RestAnswer): boolean {
  const code = codeOf(answer)
  return NOT_IN_SCHEMA.has(code) || (answer.status === 404 && code === '')
}
