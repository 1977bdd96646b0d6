import type { ProblemDocument } from '@waybill/service-kit'

/** The body of an error as OpenAI's clients read it: all four members are always there. */
export interface OpenAiError {
  error: { message: string; type: string; param: string | null; code: string | null }
}

/** Returns a problem in OpenAI's shape; status and headers stay what they are. */
export function openAiError(document: ProblemDocument): OpenAiError {
  const { status, detail, code, reason, param, errors } = document
  return {
    error: {
      message: detail,
      type: typeFor(status),
      param: firstText(param, firstPath(errors)),
      code: status === 401 ? 'invalid_api_key' : firstText(reason, code),
    },
  }
}

function typeFor(status: number): string {
  if (status === 403) return 'permission_error'
  if (status === 429) return 'rate_limit_error'
  return status >= 500 ? 'server_error' : 'invalid_request_error'
}

function firstText(...values: unknown[]): string | null {
  return values.find((value) => typeof value === 'string') ?? null
}

/** The member that the first of `errors` speaks of, as service-kit lists them. */
function firstPath(errors: unknown): unknown {
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined
  return typeof first === 'object' && first !== null && 'path' in first ? first.path : undefined
}
