import type { Request, Response } from 'express'
import type { Principal } from './principal.ts'
import { addressBlock } from './address-block.ts'
import { env } from './config.ts'
import { enforceQuotas } from './rate-limit.ts'
import type { Counter, Quotas } from './rate-limit.ts'
import type { Route } from './route.ts'
import { perTier } from './per-tier.ts'
import type { PerTier } from './per-tier.ts'

/** The variables of a service that limits calls; spread into its schema. */
export const throttleEnv = {
  REDIS_URL: env
    .secret()
    .refine((url) => /^rediss?:$/.test(URL.parse(url.reveal())?.protocol ?? ''), {
      error: 'must be a redis:// or rediss:// URL',
    })
    .optional()
    .describe('Where all instances count together, `redis://...`; without it each counts for itself'),
  API_CALLS_PER_MINUTE: perTier({ free: 120, standard: 1200, premium: 12_000 }).describe(
    'Calls of one user, by tier',
  ),
  API_KEY_CALLS_PER_MINUTE: perTier({ free: 60, standard: 600, premium: 6000 }).describe(
    "Calls with one API key, by its owner's tier",
  ),
  ANONYMOUS_CALLS_PER_MINUTE: env
    .int({ min: 1, max: 1_000_000, default: 600 })
    .describe('Calls from one address (IPv6: one /64) that prove no identity'),
}

export interface ThrottleConfig {
  API_CALLS_PER_MINUTE: PerTier
  API_KEY_CALLS_PER_MINUTE: PerTier
  ANONYMOUS_CALLS_PER_MINUTE: number
}

/** One call of one caller, once it is known who that is. */
export interface ThrottledCall {
  route: Route
  /** Absent when nobody has proved who it is. */
  principal: Principal | undefined
  req: Request
  res: Response
}

/** Counts a call. @throws Problem rate_limited (429) */
export type Throttle = (call: ThrottledCall) => Promise<void>

/**
 * Counts calls per minute: of a user by the user's tier, with an API key by that key, of anybody else by address. A
 * service that calls, for itself or for a user, is not counted: the user was where the journey began.
 */
export function createThrottle(quotas: Quotas, config: ThrottleConfig): Throttle {
  const byTier = (name: string, limits: PerTier) =>
    new Map(
      Object.entries(limits).map(([tier, limit]) => [tier, quotas.counter(`${name}-${tier}`, limit, 60)]),
    )
  const users = byTier('calls', config.API_CALLS_PER_MINUTE)
  const keys = byTier('key-calls', config.API_KEY_CALLS_PER_MINUTE)
  const anonymous = quotas.counter('anonymous', config.ANONYMOUS_CALLS_PER_MINUTE, 60)

  const allowance = (principal: Principal | undefined, req: Request): [Counter, string] | undefined => {
    if (!principal) return [anonymous, addressBlock(req.ip ?? '')]
    if (principal.kind !== 'user' || principal.actors.length > 0) return undefined
    const { apiKeyId, userId, tier } = principal
    const counters = apiKeyId === undefined ? users : keys
    // Of a tier that nobody knows: the least.
    const counter = counters.get(tier ?? 'free') ?? counters.get('free')
    return counter && [counter, apiKeyId ?? userId]
  }
  return async ({ principal, req, res }) => {
    const [count, key] = allowance(principal, req) ?? []
    if (count && key !== undefined) enforceQuotas(res, [await count(key)])
  }
}
