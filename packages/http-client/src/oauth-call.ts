import { REQUEST_ID_HEADER, requestContext } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'
import { fromWireError } from './downstream-error.ts'
import type { CallName } from './downstream-error.ts'
import { readJson } from './read-body.ts'
import type { Transport } from './transport.ts'
import { WireError } from './wire-error.ts'

export interface OAuthCallOptions {
  /** The name of this service, as an OAuth client. */
  service: string
  secret: Secret
  authServiceUrl: string
  transport: Transport
  /** The longest answer that is read, in bytes. */
  maxAnswerBytes: number
}

export interface OAuthRequest {
  method: 'GET' | 'POST'
  path: string
  query?: string
  form?: URLSearchParams
  /** Whether this service says who it is; public documents are asked for by anybody. */
  authenticated?: boolean
  timeoutMs: number
  signal?: AbortSignal
}

/** Calls auth-service as the OAuth client that this service is: HTTP Basic, form-encoded (RFC 6749 section 2.3.1). */
export type OAuthCall = (request: OAuthRequest) => Promise<{ call: CallName; status: number; body: unknown }>

/** @returns a call that gives back whatever status was answered, and throws DownstreamError when nothing was. */
export function createOAuthCall(options: OAuthCallOptions): OAuthCall {
  const { service, secret, authServiceUrl, transport, maxAnswerBytes } = options
  return async ({ method, path, query = '', form, authenticated = true, timeoutMs, signal }) => {
    const call: CallName = { service: 'auth-service', method, path }
    const requestId = requestContext()?.requestId
    const response = await transport
      .send({
        method,
        url: authServiceUrl + path + query,
        headers: {
          ...(authenticated && { Authorization: basic(service, secret) }),
          ...(form && { 'Content-Type': 'application/x-www-form-urlencoded' }),
          ...(requestId !== undefined && { [REQUEST_ID_HEADER]: requestId }),
        },
        body: form?.toString(),
        timeoutMs,
        signal,
      })
      .catch((error: unknown) => {
        throw error instanceof WireError ? fromWireError(error, call) : error
      })
    return { call, status: response.status, body: await readJson(response, call, maxAnswerBytes) }
  }
}

function basic(service: string, secret: Secret): string {
  const credentials = [service, secret.reveal()].map(encodeURIComponent).join(':')
  return `Basic ${Buffer.from(credentials).toString('base64')}`
}
