import { json, namedFrame } from '../reply.ts'
import type { Reply } from '../reply.ts'

const BY_STATUS: Readonly<Record<number, [type: string, message: string]>> = {
  400: ['invalid_request_error', 'messages: at least one message is required'],
  401: ['authentication_error', 'invalid x-api-key'],
  402: ['billing_error', 'Your credit balance is too low to access the Anthropic API.'],
  403: ['permission_error', 'Your API key does not have permission to use the specified resource.'],
  404: ['not_found_error', 'model: err-404'],
  409: ['conflict_error', 'Conflict'],
  413: ['request_too_large', 'Request exceeds the maximum size'],
  429: ['rate_limit_error', 'This request would exceed your rate limit. Please try again later.'],
  504: ['timeout_error', 'Request timed out'],
  529: ['overloaded_error', 'Overloaded'],
}

export function anthropicError(status: number, requestId: string, message?: string): Reply {
  const [type, words] = BY_STATUS[status] ?? [
    status < 500 ? 'invalid_request_error' : 'api_error',
    'Internal server error',
  ]
  const body = { type: 'error', error: { type, message: message ?? words }, request_id: requestId }
  return json(body, { status })
}

export function anthropicErrorFrame(): string {
  return namedFrame('error', { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } })
}
