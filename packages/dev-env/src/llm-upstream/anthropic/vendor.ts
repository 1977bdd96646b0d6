import { bearerOf, headerOf } from '../credential.ts'
import type { Vendor } from '../vendor.ts'
import { anthropicError, anthropicErrorFrame } from './errors.ts'
import { countTokens, message, models } from './messages.ts'

export const anthropic: Vendor = {
  name: 'anthropic',
  // Its SDK sends a bearer token since 1.0.
  credential: (headers) => headerOf(headers['x-api-key']) ?? bearerOf(headers),
  inPath: () => ({}),
  headers: (requestId) => ({
    'request-id': requestId,
    'anthropic-ratelimit-requests-limit': '50',
    'anthropic-ratelimit-requests-remaining': '49',
    'anthropic-ratelimit-requests-reset': '2026-01-01T00:00:00Z',
  }),
  answer({ method, path, asked, made }) {
    if (method === 'GET') return path === '/v1/models' ? models() : undefined
    if (path === '/v1/messages/count_tokens') return countTokens(made)
    return path === '/v1/messages' ? message(asked, made) : undefined
  },
  error: anthropicError,
  unauthorized: (_key, requestId) => anthropicError(401, requestId),
  malformed: (requestId) => anthropicError(400, requestId, 'The request body is not valid JSON'),
  errorFrame: anthropicErrorFrame,
}
