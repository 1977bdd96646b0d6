import { namedFrame, json } from '../reply.ts'
import type { Reply } from '../reply.ts'

interface OpenAiError {
  message: string
  type: string
  param: string | null
  code: string | null
}

const INVALID = 'invalid_request_error'

const QUOTA: OpenAiError = {
  message:
    'You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.',
  type: 'insufficient_quota',
  param: null,
  code: 'insufficient_quota',
}

const BY_STATUS: Readonly<Record<number, OpenAiError>> = {
  400: { message: 'Invalid value for a parameter.', type: INVALID, param: 'messages', code: 'invalid_value' },
  401: {
    message:
      'Incorrect API key provided: sk-inval***alid. You can find your API key at https://platform.openai.com/account/api-keys.',
    type: INVALID,
    param: null,
    code: 'invalid_api_key',
  },
  403: {
    message: 'You are not allowed to sample from this model',
    type: INVALID,
    param: null,
    code: 'model_not_allowed',
  },
  404: {
    message: 'The model `err-404` does not exist or you do not have access to it.',
    type: INVALID,
    param: null,
    code: 'model_not_found',
  },
  429: {
    message:
      'Rate limit reached for mock-model in organization org-mock on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 50ms.',
    type: 'requests',
    param: null,
    code: 'rate_limit_exceeded',
  },
}

const FAILED: OpenAiError = {
  message:
    'The server had an error while processing your request. Sorry about that! You can retry your request, or contact us through our help center at help.openai.com if the error persists.',
  type: 'server_error',
  param: null,
  code: null,
}

export function openAiError(status: number, error?: Partial<OpenAiError>): Reply {
  const base = BY_STATUS[status] ?? (status < 500 ? { ...FAILED, type: INVALID } : FAILED)
  return json({ error: { ...base, ...error } }, { status, indent: 4 })
}

export function quotaExceeded(): Reply {
  return openAiError(429, QUOTA)
}

/** Nobody who may ask: a key that is missing, or one that is not known. */
export function openAiUnauthorized(key: string | undefined): Reply {
  return key === undefined
    ? openAiError(401, {
        message:
          "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        code: null,
      })
    : openAiError(401)
}

/** In a stream that has begun. Responses have an event of their own, which is not the envelope of HTTP errors. */
export function openAiErrorFrame(path: string): string {
  if (!path.endsWith('/responses')) return `data: ${JSON.stringify({ error: FAILED })}\n\n`
  const { message, param } = FAILED
  return namedFrame('error', { type: 'error', code: 'server_error', message, param, sequence_number: 99 })
}
