import { Problem } from '@waybill/service-kit'
import type { Counts, Subject, Taking, Wanted } from './store.ts'
import { WINDOW_MS } from './store.ts'

export type LimitName = 'requests_per_minute' | 'tokens_per_minute' | 'concurrent_requests'

interface Exceeded {
  name: LimitName
  detail: string
  waitMs: number
  /** False when waiting does not help. */
  passes: boolean
}

/** Nobody knows when a place becomes free; soon, because calls are short. */
const PLACE_WAIT_MS = 1_000

/** The 429 of a call that was not let in: which limit, and when to come again. */
export function refusal(subjects: readonly Subject[], wanted: Wanted, taking: Taking): Problem {
  const all = subjects.flatMap((subject, index) => {
    const counts = taking.counts[index]
    return counts ? exceededBy(subject, counts, wanted, taking.now) : []
  })
  // The one that lasts longest: before that the same call would only be refused again.
  const [worst] = all.sort((one, other) => other.waitMs - one.waitMs)
  if (!worst) throw new Error('a call was refused that no limit refuses')
  return new Problem('rate_limited', worst.detail, {
    headers: {
      ...retryHeaders(worst.waitMs),
      ...(worst.passes ? {} : { 'x-should-retry': 'false' }),
      ...allowanceHeaders('x-ratelimit', subjects, { calls: 0, tokens: 0 }, taking),
    },
    extensions: { reason: worst.name },
  })
}

function exceededBy(subject: Subject, counts: Counts, { calls, tokens }: Wanted, now: number): Exceeded[] {
  const whose = subject.kind === 'user' ? 'you' : 'this API key'
  const found: Exceeded[] = []
  if (calls > 0 && counts.requests >= subject.requests) {
    found.push({
      name: 'requests_per_minute',
      detail: `The limit for ${whose} is ${subject.requests} requests a minute.`,
      waitMs: counts.requestsUntil - now,
      passes: true,
    })
  }
  if (tokens > subject.tokens) {
    found.push({
      name: 'tokens_per_minute',
      detail: `This request may use ${tokens} tokens; the limit for ${whose} is ${subject.tokens} a minute. Ask for fewer.`,
      waitMs: WINDOW_MS,
      passes: false,
    })
  } else if (counts.tokens + tokens > subject.tokens) {
    found.push({
      name: 'tokens_per_minute',
      detail: `The limit for ${whose} is ${subject.tokens} tokens a minute; ${Math.max(0, subject.tokens - counts.tokens)} are left, and this request may use ${tokens}.`,
      waitMs: counts.tokensUntil - now,
      passes: true,
    })
  }
  if (calls > 0 && counts.concurrent >= subject.concurrent) {
    found.push({
      name: 'concurrent_requests',
      detail: `The limit for ${whose} is ${subject.concurrent} requests at the same time.`,
      waitMs: PLACE_WAIT_MS,
      passes: true,
    })
  }
  return found
}

/** When to come again, as RFC 9110 has it and, more exactly, as the vendors' SDKs read it first. */
export function retryHeaders(waitMs: number): Record<string, string> {
  const ms = Math.max(1, Math.ceil(waitMs))
  return { 'Retry-After': String(Math.ceil(ms / 1000)), 'retry-after-ms': String(ms) }
}

/**
 * What is left after the call, of the subject that has the least: `<prefix>-limit-requests`, `-remaining-requests`,
 * `-reset-requests`, and the same of tokens. Times as OpenAI writes them: `250ms`, `59.5s`.
 */
export function allowanceHeaders(
  prefix: string,
  subjects: readonly Subject[],
  { calls, tokens }: Wanted,
  { counts, now }: Taking,
): Record<string, string> {
  let requestsAt = 0
  let tokensAt = 0
  const requestsLeft = (index: number) => (subjects[index]?.requests ?? 0) - (counts[index]?.requests ?? 0)
  const tokensLeft = (index: number) => (subjects[index]?.tokens ?? 0) - (counts[index]?.tokens ?? 0)
  for (let index = 1; index < subjects.length; index += 1) {
    if (requestsLeft(index) < requestsLeft(requestsAt)) requestsAt = index
    if (tokensLeft(index) < tokensLeft(tokensAt)) tokensAt = index
  }
  return {
    [`${prefix}-limit-requests`]: String(subjects[requestsAt]?.requests ?? 0),
    [`${prefix}-remaining-requests`]: String(Math.max(0, requestsLeft(requestsAt) - calls)),
    [`${prefix}-reset-requests`]: duration((counts[requestsAt]?.requestsUntil ?? now) - now),
    [`${prefix}-limit-tokens`]: String(subjects[tokensAt]?.tokens ?? 0),
    [`${prefix}-remaining-tokens`]: String(Math.max(0, tokensLeft(tokensAt) - tokens)),
    [`${prefix}-reset-tokens`]: duration((counts[tokensAt]?.tokensUntil ?? now) - now),
  }
}

function duration(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms))
  return whole < 1_000 ? `${whole}ms` : `${whole / 1_000}s`
}
