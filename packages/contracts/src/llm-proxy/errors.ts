/** A problem document (RFC 9457) as service-kit makes it; of its extensions only those that a vendor's shape has a place for. */
export interface ProblemLike {
  status: number
  detail: string
  code: string
  request_id?: string
  /** Says more than `code`: `model_not_found`, `tokens_per_minute`. */
  reason?: unknown
  /** The member of the body that is wrong. */
  param?: unknown
  /** What is wrong with the body, as service-kit lists it. */
  errors?: unknown
}

/** The body of an error as OpenAI's clients read it: all four members are always there. */
export interface OpenAiError {
  error: { message: string; type: string; param: string | null; code: string | null }
}

/** The body of an error as Anthropic's clients read it. */
export interface AnthropicError {
  type: 'error'
  error: { type: string; message: string }
  request_id?: string
}

/** The body of an error as Google's clients read it (AIP-193); `code` is the HTTP status, `status` gRPC's by name. */
export interface GoogleError {
  error: { code: number; message: string; status: string }
}

/** Returns a problem in OpenAI's shape; status and headers stay what they are. */
export function openAiError(document: ProblemLike): OpenAiError {
  const { status, detail, code, reason, param, errors } = document
  const [type, known] = OPENAI_REASONS.get(reason) ?? OPENAI_STATUSES.get(status) ?? []
  return {
    error: {
      message: detail,
      type: type ?? (status >= 500 ? 'server_error' : 'invalid_request_error'),
      param: firstText(param, firstPath(errors)),
      code: known ?? firstText(reason, code),
    },
  }
}

/** By status: the type, and the code where OpenAI has one of its own. */
const OPENAI_STATUSES = new Map<number, [type: string, code?: string]>([
  [401, ['invalid_request_error', 'invalid_api_key']],
  [403, ['permission_error']],
  [429, ['rate_limit_error', 'rate_limit_exceeded']],
])

/** OpenAI tells its limits apart by the type, and an empty purse by a code that no client tries again after. */
const OPENAI_REASONS = new Map<unknown, [type: string, code: string]>([
  ['requests_per_minute', ['requests', 'rate_limit_exceeded']],
  ['tokens_per_minute', ['tokens', 'rate_limit_exceeded']],
  ['budget_exceeded', ['insufficient_quota', 'insufficient_quota']],
])

/** Returns a problem in Anthropic's shape; status and headers stay what they are. */
export function anthropicError({ status, detail, request_id }: ProblemLike): AnthropicError {
  const type = ANTHROPIC_TYPES.get(status) ?? (status >= 500 ? 'api_error' : 'invalid_request_error')
  return {
    type: 'error',
    error: { type, message: detail },
    ...(request_id !== undefined && { request_id }),
  }
}

const ANTHROPIC_TYPES = new Map([
  [401, 'authentication_error'],
  [402, 'billing_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [409, 'conflict_error'],
  [413, 'request_too_large'],
  [429, 'rate_limit_error'],
  [504, 'timeout_error'],
  [529, 'overloaded_error'],
])

/** Returns a problem in Google's shape; status and headers stay what they are. */
export function googleError({ status, detail }: ProblemLike): GoogleError {
  const name = GOOGLE_STATUSES.get(status) ?? (status >= 500 ? 'INTERNAL' : 'INVALID_ARGUMENT')
  return { error: { code: status, message: detail, status: name } }
}

/** As google.rpc.Code maps them to HTTP, and the nearest for those that it does not know. */
const GOOGLE_STATUSES = new Map([
  [401, 'UNAUTHENTICATED'],
  [403, 'PERMISSION_DENIED'],
  [404, 'NOT_FOUND'],
  [409, 'ABORTED'],
  [412, 'FAILED_PRECONDITION'],
  [429, 'RESOURCE_EXHAUSTED'],
  [499, 'CANCELLED'],
  [501, 'UNIMPLEMENTED'],
  [502, 'UNAVAILABLE'],
  [503, 'UNAVAILABLE'],
  [504, 'DEADLINE_EXCEEDED'],
])

/** The protocols of vendors, each with the shape of its errors. */
export const ERROR_SHAPES = {
  openai: openAiError,
  anthropic: anthropicError,
  gemini: googleError,
} satisfies Record<string, (document: ProblemLike) => unknown>

export type VendorProtocol = keyof typeof ERROR_SHAPES

function firstText(...values: unknown[]): string | null {
  return values.find((value) => typeof value === 'string') ?? null
}

/** The member that the first of `errors` speaks of. */
function firstPath(errors: unknown): unknown {
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined
  return typeof first === 'object' && first !== null && 'path' in first ? first.path : undefined
}
