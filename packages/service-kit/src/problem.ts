/**
 * Every error that a client can meet: its stable code, HTTP status and title. A code is thrown where the fact is known
 * and becomes `application/problem+json` (RFC 9457) in one place, problem-response.ts.
 */
export const PROBLEMS = {
  bad_request: [400, 'Bad request'],
  invalid_json: [400, 'The body is not valid JSON'],
  validation_failed: [400, 'The request does not have the expected form'],
  ambiguous_credentials: [400, 'More than one kind of credential was sent'],
  unauthenticated: [401, 'Authentication required'],
  invalid_credentials: [401, 'The name or the password is wrong'],
  invalid_token: [401, 'The credential is not valid'],
  identity_header_mismatch: [401, 'An identity header contradicts the credential'],
  forbidden: [403, 'Access denied'],
  insufficient_permission: [403, 'A permission is missing'],
  workspace_required: [403, 'Workspace access required'],
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'Method not allowed'],
  conflict: [409, 'Conflict'],
  precondition_failed: [412, 'Precondition failed'],
  payload_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'Unsupported media type'],
  unprocessable: [422, 'The content cannot be processed'],
  precondition_required: [428, 'Precondition required'],
  rate_limited: [429, 'Too many requests'],
  headers_too_large: [431, 'Request header fields too large'],
  client_closed: [499, 'The client went away'],
  internal: [500, 'Internal error'],
  not_implemented: [501, 'Not implemented'],
  upstream_failed: [502, 'A service behind this one failed'],
  unavailable: [503, 'Temporarily unavailable'],
  timeout: [504, 'Not finished in time'],
  loop_detected: [508, 'The request came back to where it had been'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ProblemCode = keyof typeof PROBLEMS

export interface ProblemOptions {
  /** Headers of the answer, such as `Retry-After`. */
  headers?: Record<string, string>
  /** Further members of the answer. They are public. */
  extensions?: Record<string, unknown>
  /** What led here; logged, never answered. */
  cause?: unknown
}

/** An error with a stable `code` that may be shown to the client: `detail` must name the thing and hold no secret. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly status: number
  readonly title: string
  readonly headers: Record<string, string>
  readonly extensions: Record<string, unknown>

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, { cause: options.cause })
    this.name = 'Problem'
    this.code = code
    ;[this.status, this.title] = PROBLEMS[code]
    this.headers = options.headers ?? {}
    this.extensions = options.extensions ?? {}
  }
}

/** A neighbour or a backend cannot be reached now: 503 with `Retry-After` in seconds. */
export function unavailable(what: string, options: { retryAfter?: number; cause?: unknown } = {}): Problem {
  return new Problem('unavailable', `${what} cannot be reached at the moment.`, {
    headers: { 'Retry-After': String(options.retryAfter ?? 1) },
    cause: options.cause,
  })
}
