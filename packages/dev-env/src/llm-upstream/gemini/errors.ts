import { json } from '../reply.ts'
import type { Reply } from '../reply.ts'

const BY_STATUS: Readonly<Record<number, [status: string, message: string]>> = {
  400: ['INVALID_ARGUMENT', 'Request contains an invalid argument.'],
  401: ['UNAUTHENTICATED', 'Request had invalid authentication credentials.'],
  403: ['PERMISSION_DENIED', 'The caller does not have permission'],
  404: ['NOT_FOUND', 'models/err-404 is not found for API version v1beta.'],
  429: ['RESOURCE_EXHAUSTED', 'You exceeded your current quota, please check your plan and billing details.'],
  503: ['UNAVAILABLE', 'The model is overloaded. Please try again later.'],
  504: ['DEADLINE_EXCEEDED', 'The deadline expired before the operation could complete.'],
}

/** google.rpc.Status as JSON, indented as Google's front ends do. */
export function geminiError(code: number, details?: readonly object[]): Reply {
  const [status, message] = BY_STATUS[code] ?? ['INTERNAL', 'An internal error has occurred.']
  return json({ error: { code, message, status, ...(details && { details }) } }, { status: code, indent: 2 })
}

export function geminiUnauthorized(key: string | undefined): Reply {
  if (key === undefined) return geminiError(403)
  const info = {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    ...{ reason: 'API_KEY_INVALID', domain: 'googleapis.com' },
    metadata: { service: 'generativelanguage.googleapis.com' },
  }
  const message = 'API key not valid. Please pass a valid API key.'
  return json(
    { error: { code: 400, message, status: 'INVALID_ARGUMENT', details: [info] } },
    { status: 400, indent: 2 },
  )
}

export function geminiErrorFrame(): string {
  const error = {
    code: 503,
    message: 'The model is overloaded. Please try again later.',
    status: 'UNAVAILABLE',
  }
  return `data: ${JSON.stringify({ error })}\r\n\r\n`
}
