import { Problem } from '@waybill/service-kit'
import type { ProblemCode } from '@waybill/service-kit'
import { objectOf, parseJson } from '../protocols/json.ts'
import type { CapturedAnswer } from './captured-answer.ts'
import { readAll } from './read-all.ts'

/** Of what a provider says, in characters. */
const LONGEST_MESSAGE = 1_000
const LONGEST_BODY = 64 * 1024

/** Returns what a provider answered with, 400 or more, as one of our own problems. Its words are told where they are about the request. */
export async function refusalOf(answer: CapturedAnswer, provider: string): Promise<Problem> {
  const { statusCode: status } = answer
  const text = await readAll(answer, LONGEST_BODY, provider).catch(() => '')
  if (status === 401 || status === 403) {
    return new Problem(
      'forbidden',
      `${provider} does not accept your key for this (it answered ${String(status)}).`,
      {
        extensions: { reason: 'provider_key_refused', provider },
      },
    )
  }
  const { message, code, param } = objectOf(objectOf(parseJson(text)).error)
  const said =
    typeof message === 'string' ? message.slice(0, LONGEST_MESSAGE) : `it answered ${String(status)}`
  return new Problem(codeFor(status), `${provider}: ${said}`, {
    headers: retryHeaders(answer),
    extensions: {
      provider,
      ...(typeof code === 'string' && { reason: code }),
      ...(typeof param === 'string' && { param }),
    },
  })
}

const CODES = new Map<number, ProblemCode>([
  [404, 'not_found'],
  [413, 'payload_too_large'],
  [422, 'unprocessable'],
  [429, 'rate_limited'],
  [503, 'unavailable'],
  [504, 'timeout'],
  [529, 'unavailable'],
])

function codeFor(status: number): ProblemCode {
  return CODES.get(status) ?? (status >= 500 ? 'upstream_failed' : 'bad_request')
}

function retryHeaders(answer: CapturedAnswer): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const name of ['Retry-After', 'Retry-After-Ms', 'X-Should-Retry']) {
    const value = answer.getHeader(name)
    if (value !== undefined) headers[name] = value
  }
  return headers
}
