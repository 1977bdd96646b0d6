import { Problem } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import type { LimitsConfig } from '../src/limits/config.ts'
import type { Limits } from '../src/limits/limits.ts'
import { userOf } from './usage-setting.ts'

export const all = (limit: number) => ({ free: limit, standard: limit, premium: limit })
const MANY = all(1_000_000)
export const OPEN: LimitsConfig = {
  ANONYMOUS_CALLS_PER_MINUTE: 600,
  LLM_REQUESTS_PER_MINUTE: MANY,
  LLM_TOKENS_PER_MINUTE: MANY,
  LLM_CONCURRENT_REQUESTS: MANY,
  API_KEY_LLM_REQUESTS_PER_MINUTE: MANY,
  API_KEY_LLM_TOKENS_PER_MINUTE: MANY,
  API_KEY_LLM_CONCURRENT_REQUESTS: MANY,
  CONCURRENCY_LEASE_SECONDS: 60,
}

/** The clock of a test, in milliseconds. */
export class Clock {
  at = Date.parse('2026-11-25T12:00:00Z')
  readonly now = (): number => this.at
}

export const reserve = async (limits: Limits, who: string | UserPrincipal, tokens = 1) =>
  limits.reserve(typeof who === 'string' ? userOf(who) : who, { calls: 1, tokens })

/** What a refused reservation was refused with. */
export async function refusalOf(limits: Limits, who: string | UserPrincipal, tokens = 1): Promise<Problem> {
  const refused: unknown = await reserve(limits, who, tokens).catch((error: unknown) => error)
  if (refused instanceof Problem) return refused
  throw new Error('it was let in')
}

export const reasonOf = async (...args: Parameters<typeof refusalOf>) =>
  (await refusalOf(...args)).extensions.reason

/** So many calls at once: how many were let in, and why the others were not. */
export async function crowd(limits: Limits, who: string | UserPrincipal, size: number, tokens = 1) {
  const results = await Promise.allSettled(Array.from({ length: size }, () => reserve(limits, who, tokens)))
  const admitted = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const reasons = new Set(
    results.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Problem).extensions.reason] : [])),
  )
  return { admitted, reasons: [...reasons] }
}
