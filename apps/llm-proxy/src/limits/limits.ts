import type { PerTier, UserPrincipal } from '@waybill/service-kit'
import type { LimitsConfig } from './config.ts'
import { allowanceHeaders, refusal } from './answers.ts'
import type { LimitStore, Subject, Taking, Wanted } from './store.ts'

/** What was taken for a call. */
export interface Reservation {
  /** What is left, for the answer. */
  headers: Readonly<Record<string, string>>
  /** Once: frees the place, and counts what was used in place of what was reserved. Never throws. */
  end: (usedTokens: number) => void
}

/** What a user, and an API key of the user, may ask of models in a minute and at the same time. */
export interface Limits {
  /**
   * Reserves what is wanted: all of it, of the user and of the key, or nothing. At once where it can.
   * @throws Problem rate_limited (429), or rejects with it, with the reason `requests_per_minute`, `tokens_per_minute` or
   * `concurrent_requests`
   */
  reserve(principal: UserPrincipal, wanted: Wanted): Reservation | Promise<Reservation>
  start(): Promise<void>
  close(): Promise<void>
}

export function createLimits(config: LimitsConfig, store: LimitStore): Limits {
  const ofUsers = byTier(
    config.LLM_REQUESTS_PER_MINUTE,
    config.LLM_TOKENS_PER_MINUTE,
    config.LLM_CONCURRENT_REQUESTS,
  )
  const ofKeys = byTier(
    config.API_KEY_LLM_REQUESTS_PER_MINUTE,
    config.API_KEY_LLM_TOKENS_PER_MINUTE,
    config.API_KEY_LLM_CONCURRENT_REQUESTS,
  )
  const subjectsOf = ({ userId, apiKeyId, tier }: UserPrincipal): Subject[] => {
    const user: Subject = { kind: 'user', id: userId, ...ofUsers(tier) }
    return apiKeyId === undefined ? [user] : [{ kind: 'api_key', id: apiKeyId, ...ofKeys(tier) }, user]
  }
  const judge = (subjects: readonly Subject[], wanted: Wanted, taking: Taking): Reservation => {
    if (!taking.admitted) throw refusal(subjects, wanted, taking)
    return { headers: allowanceHeaders('x-waybill-ratelimit', subjects, wanted, taking), end: taking.end }
  }
  return {
    reserve(principal, wanted) {
      const subjects = subjectsOf(principal)
      const taking = store.take(subjects, wanted)
      return taking instanceof Promise
        ? taking.then((taken) => judge(subjects, wanted, taken))
        : judge(subjects, wanted, taking)
    },
    start: () => store.start(),
    close: () => store.close(),
  }
}

type Allowed = Pick<Subject, 'requests' | 'tokens' | 'concurrent'>

function byTier(
  requests: PerTier,
  tokens: PerTier,
  concurrent: PerTier,
): (tier: string | undefined) => Allowed {
  const tiers = new Map<string, Allowed>()
  // Every tier is in each of the three: PerTier says so.
  for (const tier of Object.keys(requests) as (keyof PerTier)[]) {
    tiers.set(tier, { requests: requests[tier], tokens: tokens[tier], concurrent: concurrent[tier] })
  }
  const least = { requests: requests.free, tokens: tokens.free, concurrent: concurrent.free }
  // Of a tier that nobody knows: the least.
  return (tier) => tiers.get(tier ?? 'free') ?? least
}
