import type { GrantError } from '@waybill/auth'
import { Problem } from '@waybill/service-kit'
import type { ProblemDocument } from '@waybill/service-kit'

export type OAuthErrorCode =
  GrantError['code'] | 'invalid_client' | 'unsupported_grant_type' | 'unsupported_token_type'

/** A refusal by its OAuth code (RFC 6749 section 5.2): 401 with a challenge for `invalid_client`, 400 for all others. */
export function oauthProblem(code: OAuthErrorCode, description: string): Problem {
  const extensions = { oauth_error: code }
  if (code !== 'invalid_client') return new Problem('bad_request', description, { extensions })
  return new Problem('invalid_credentials', description, {
    extensions,
    headers: { 'WWW-Authenticate': 'Basic realm="waybill", charset="UTF-8"' },
  })
}

/** The body that OAuth clients expect of an error (RFC 6749 section 5.2), with the id to ask about it. */
export function oauthErrorBody(document: ProblemDocument): Record<string, unknown> {
  return {
    error: document.oauth_error ?? codeFor(document.status),
    // No quotes, no backslashes, nothing beyond ASCII.
    error_description: document.detail.replaceAll(/[^ !#-[\]-~]/g, '?'),
    request_id: document.request_id,
  }
}

/** OAuth has no codes of its own for what goes wrong before or below it; these are its nearest. */
function codeFor(status: number): string {
  if (status === 503) return 'temporarily_unavailable'
  return status >= 500 ? 'server_error' : 'invalid_request'
}
