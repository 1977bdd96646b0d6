import { createHash } from 'node:crypto'
import { authService } from '@waybill/contracts'
import { Problem } from '@waybill/service-kit'
import type { Credential } from '@waybill/service-kit'
import { ATTRIBUTE, SPAN, withSpan } from '@waybill/telemetry'
import { DownstreamError, fromAnswer } from './downstream-error.ts'
import type { CallName } from './downstream-error.ts'
import type { OAuthCall } from './oauth-call.ts'

const {
  GRANT_TOKEN_EXCHANGE,
  TOKEN_PATH,
  TOKEN_TYPE_ACCESS_TOKEN,
  TOKEN_TYPE_API_KEY,
  tokenError,
  tokenResponse,
} = authService

export interface TokenSourceOptions {
  oauth: OAuthCall
  timeoutMs: number
  /**
   * A token is asked for anew this long before it expires, in milliseconds: as long as a call may take, since whoever is
   * called has to exchange it further until the end of its work.
   */
  renewBeforeMs: number
  /** How many tokens are kept. */
  cacheSize?: number
  now?: () => number
}

export interface TokenRequest {
  audience: string
  /** The credential of the user (or service) to act for; absent when the service calls in its own name. */
  subject?: Credential | undefined
  /** The workspace that the user was found to be a member of; only some services may say so. */
  workspaceId?: string | undefined
}

export interface TokenSource {
  /**
   * An access token for `audience`: on behalf of the subject (RFC 8693), or in the service's own name (RFC 6749 4.4).
   * @throws DownstreamError or Problem
   */
  tokenFor(request: TokenRequest): Promise<string>
  /** Keeps `token` no longer, because whom it was made for did not accept it. A newer one for the request stays. */
  forget(request: TokenRequest, token: string): void
}

interface KeptToken {
  token: Promise<string>
  /** Once it is there. */
  value?: string
  until: number
}

/** Tokens from auth-service, kept until shortly before they expire; asked for once however many callers wait. */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { cacheSize = 10_000, now = Date.now } = options
  const kept = new Map<string, KeptToken>()

  return {
    async tokenFor(request) {
      const key = cacheKey(request)
      const hit = kept.get(key)
      if (hit && hit.until > now()) return hit.token
      kept.delete(key)
      const asked = askForToken(options, request)
      const entry: KeptToken = { token: asked.then(({ token }) => token), until: Number.POSITIVE_INFINITY }
      const oldest = kept.keys().next()
      if (kept.size >= cacheSize && !oldest.done) kept.delete(oldest.value)
      kept.set(key, entry)
      try {
        const { token, expiresInMs } = await asked
        entry.value = token
        entry.until = now() + Math.max(expiresInMs - options.renewBeforeMs, expiresInMs / 2)
      } catch {
        kept.delete(key)
      }
      return entry.token
    },
    forget(request, token) {
      const key = cacheKey(request)
      if (kept.get(key)?.value === token) kept.delete(key)
    },
  }
}

/** By digest: the cache shall not be a list of users' tokens. */
function cacheKey({ audience, subject, workspaceId }: TokenRequest): string {
  return createHash('sha256')
    .update(
      JSON.stringify([
        audience,
        workspaceId ?? null,
        subject?.type ?? null,
        subject?.secret.reveal() ?? null,
      ]),
    )
    .digest('base64url')
}

async function askForToken(options: TokenSourceOptions, request: TokenRequest) {
  const span = request.subject ? SPAN.exchange : SPAN.clientCredentials
  return withSpan(span, { [ATTRIBUTE.audience]: request.audience }, async () => {
    const { oauth, timeoutMs } = options
    const answer = await oauth({ method: 'POST', path: TOKEN_PATH, form: form(request), timeoutMs })
    if (answer.status !== 200) throw refusal(answer, request.audience)
    const granted = tokenResponse.safeParse(answer.body)
    if (!granted.success) {
      throw new DownstreamError(
        'upstream_failed',
        'auth-service answered in an unexpected form.',
        answer.call,
      )
    }
    const { access_token: token, expires_in: expiresIn } = granted.data
    return { token, expiresInMs: expiresIn * 1000 }
  })
}

function form({ audience, subject, workspaceId }: TokenRequest): URLSearchParams {
  const fields = new URLSearchParams({ audience })
  if (subject) {
    fields.set('grant_type', GRANT_TOKEN_EXCHANGE)
    fields.set('subject_token', subject.secret.reveal())
    fields.set(
      'subject_token_type',
      subject.type === 'api-key' ? TOKEN_TYPE_API_KEY : TOKEN_TYPE_ACCESS_TOKEN,
    )
  } else {
    fields.set('grant_type', 'client_credentials')
  }
  if (workspaceId !== undefined) fields.set('workspace_id', workspaceId)
  return fields
}

/** What this service may not do, by RFC 6749 section 5.2 and RFC 8707; any other code is a failure, not a refusal. */
const NOT_ALLOWED = new Set([
  'unauthorized_client',
  'access_denied',
  'invalid_scope',
  'invalid_target',
  'invalid_request',
])

/** `invalid_grant` speaks of the caller's credential; the other refusals of what this service may do. */
function refusal(answer: { call: CallName; status: number; body: unknown }, audience: string): Problem {
  const { call, status, body } = answer
  const told = tokenError.safeParse(body)
  if (!told.success || status >= 500) return fromAnswer(call, { status, body })
  const { error, error_description: description = '' } = told.data
  if (error === 'invalid_grant')
    return new Problem('invalid_token', description || 'The credential is not valid any more.')
  if (error === 'invalid_client') return fromAnswer(call, { status: 502, body })
  if (!NOT_ALLOWED.has(error)) return fromAnswer(call, { status, body })
  return new Problem('forbidden', description || `No token for ${audience} may be had.`)
}
