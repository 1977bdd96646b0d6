import { Problem, unavailable } from '@waybill/service-kit'

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT', // a Unix socket that is not there (yet)
])

/** SQLSTATEs that say "not now" of the server itself; class 08 (connection exception) is added below. */
const SERVER_GONE = new Set(['57P01', '57P02', '57P03', '57P05', '53300', '53400'])

/** Two transactions in each other's way: serialization failure, deadlock, lock time-out. The same call may succeed next time. */
const CONTENTION = new Set(['40001', '40P01', '55P03'])

/** A statement, and a transaction, that ran longer than its time-out; the second ends the connection too. */
const TOO_LONG = new Set(['57014', '25P04'])

/** What node-postgres says, without a code, when a connection ends or cannot be had in time. */
const GONE_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end|Postgres connection has been discarded|driver has already been destroyed)/

/**
 * What a request may see of a database error: 503 with Retry-After when Postgres is out of reach or busy, 504 when a
 * statement took too long. Every other error is returned as it is, for the domain to judge.
 */
export function asProblem(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Problem) return error
  if (isOutOfReach(error) || isLoginError(error)) return unavailable('The database', { cause: error })
  const code = codeOf(error)
  if (code !== undefined && CONTENTION.has(code)) {
    const detail = 'Another request is at work on the same data.'
    return new Problem('unavailable', detail, { headers: { 'Retry-After': '1' }, cause: error })
  }
  if ((code !== undefined && TOO_LONG.has(code)) || isReadTimeout(error)) return tooLong(error)
  return error
}

/** What a request sees when its time ran out in the database. */
export function tooLong(cause: unknown): Problem {
  return new Problem('timeout', 'The database took too long.', { cause })
}

/** True for what pg says when a query got no answer, however long the server was given. */
export function isReadTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout'
}

/** True when there was no usable connection, which says nothing about the statement. */
export function isOutOfReach(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isOutOfReach)
  if (!(error instanceof Error)) return false
  const code = codeOf(error)
  if (code === undefined) return GONE_MESSAGES.test(error.message)
  return NETWORK_CODES.has(code) || SERVER_GONE.has(code) || code.startsWith('08')
}

/** True when the role, its password or the database itself is refused. At start, no retry mends that. */
export function isRefusedLogin(error: unknown): error is Error {
  return isLoginError(error) || codeOf(error) === '42501'
}

function isLoginError(error: unknown): boolean {
  const code = codeOf(error)
  return code !== undefined && ['28P01', '28000', '3D000'].includes(code)
}

/** True when a row with that key is already there; with `constraint`, only for that one. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (codeOf(error) !== '23505') return false
  return constraint === undefined || (error as { constraint?: unknown }).constraint === constraint // pg names it on 23505
}

const undecided = new WeakSet<Error>()

/** Says of what a transaction has thrown that nobody knows how its COMMIT ended. Gives it back. */
export function markUndecided(error: unknown): unknown {
  if (error instanceof Error) undecided.add(error)
  return error
}

/** True when the connection was lost while a transaction was being committed. Whatever else a transaction throws, it was rolled back. */
export function isUndecided(error: unknown): boolean {
  return error instanceof Error && undecided.has(error)
}

/** True for what COMMIT itself can be refused with: a constraint that is checked at the end, or others in the way. */
export function isRefusedCommit(error: unknown): boolean {
  return /^(23|40001$|40P01$)/.test(codeOf(error) ?? '')
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
