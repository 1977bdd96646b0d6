import type { Issuer } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import type { z } from 'zod'
import { DownstreamError, fromAnswer } from './downstream-error.ts'
import type { CallName } from './downstream-error.ts'
import type { OAuthCall } from './oauth-call.ts'

const { INTROSPECT_PATH, JWKS_PATH, REVOCATIONS_PATH, introspection, revocationPage } = authService

/** Keys and key checks are small questions: who cannot answer them soon is not there. In milliseconds. */
const QUESTION_LIMIT_MS = 5_000
/** How long the feed of revocations is asked to wait for news, in seconds; short of what proxies cut off. */
const FEED_WAIT_SECONDS = 20

/** auth-service over HTTP, as the issuer that `createServiceAuth` asks. */
export function createIssuer(oauth: OAuthCall, options: { timeoutMs: number }): Issuer {
  const timeoutMs = Math.min(options.timeoutMs, QUESTION_LIMIT_MS)
  return {
    async jwks() {
      const answer = await oauth({ method: 'GET', path: JWKS_PATH, authenticated: false, timeoutMs })
      if (answer.status !== 200) throw fromAnswer(answer.call, answer)
      return answer.body
    },
    async revocations(cursor, signal, mayWait) {
      // The first page is wanted at once: what was revoked before this service started.
      const wait = mayWait && cursor !== undefined ? FEED_WAIT_SECONDS : 0
      const query = `?wait=${wait}${cursor === undefined ? '' : `&after=${cursor}`}`
      const waitMs = wait * 1000 + QUESTION_LIMIT_MS
      const answer = await oauth({ method: 'GET', path: REVOCATIONS_PATH, query, timeoutMs: waitMs, signal })
      return read(revocationPage, answer)
    },
    async introspect(apiKey) {
      const form = new URLSearchParams({ token: apiKey.reveal(), token_type_hint: 'api_key' })
      return read(introspection, await oauth({ method: 'POST', path: INTROSPECT_PATH, form, timeoutMs }))
    },
  }
}

function read<S extends z.ZodType>(
  schema: S,
  answer: { call: CallName; status: number; body: unknown },
): z.output<S> {
  // A refusal is of this service's own credentials, never of the caller's.
  if (answer.status !== 200)
    throw fromAnswer(answer.call, { ...answer, status: answer.status < 500 ? 502 : answer.status })
  const result = schema.safeParse(answer.body)
  if (result.success) return result.data
  throw new DownstreamError('upstream_failed', 'auth-service answered in an unexpected form.', answer.call)
}
