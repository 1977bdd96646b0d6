import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { Logger } from 'pino'
import { ATTRIBUTE, countEvent, METRIC } from '@waybill/telemetry'
import { Problem } from './problem.ts'
import { connectRedis } from './redis.ts'
import type { Secret } from './secret.ts'

/** How much of one allowance is left after a call. */
export interface Quota {
  name: string
  limit: number
  windowSeconds: number
  remaining: number
  /** Until the window starts anew. */
  resetSeconds: number
  resetMs: number
  exceeded: boolean
}

/** Counts one call against `key`, and gives back what is left. Never fails for want of Redis. */
export type Counter = (key: string) => Promise<Quota>

/** What may be done so and so often: each counter by itself, all of them in one place. */
export interface Quotas {
  /** `name` tells clients which allowance it is, and stands for the counts in Redis: one use for each name. */
  counter(name: string, limit: number, windowSeconds: number): Counter
  /** A start task: resolves when it is known whether Redis can be reached. */
  start(): Promise<void>
  close(): Promise<void>
}

export interface QuotasOptions {
  /** Where all instances count together; each in its own memory when absent. */
  redisUrl?: Secret | undefined
  log: Logger
}

/**
 * Fixed windows, counted in this process or in Redis: the same counts either way, each call one atomic step. While Redis
 * is away every process counts for itself (so `n` instances allow up to `n` times as much), which is logged once.
 */
export function createQuotas({ redisUrl, log }: QuotasOptions): Quotas {
  const redis = redisUrl && connectRedis(redisUrl, log)
  return {
    counter(name, limit, windowSeconds) {
      const inMemory = new RateLimiterMemory({ points: limit, duration: windowSeconds })
      const limiter = redis
        ? new RateLimiterRedis({
            storeClient: redis.client,
            useRedisPackage: true,
            rejectIfRedisNotReady: true,
            keyPrefix: `waybill:quota:${name}:${limit}:${windowSeconds}`,
            points: limit,
            duration: windowSeconds,
            insuranceLimiter: inMemory,
          })
        : inMemory
      return async (key) => {
        const counted = await limiter.consume(digest(key)).catch((refusal: unknown) => {
          // The library rejects with its result when nothing is left, and with errors otherwise.
          if (refusal instanceof RateLimiterRes) return refusal
          throw refusal
        })
        const resetMs = Math.max(1, Math.ceil(counted.msBeforeNext))
        return {
          ...{ name, limit, windowSeconds, resetMs },
          remaining: counted.remainingPoints,
          resetSeconds: Math.ceil(resetMs / 1000),
          exceeded: counted.consumedPoints > limit,
        }
      }
    },
    start: async () => redis?.known,
    close: async () => redis?.close(),
  }
}

/** Keys hold names that people typed and addresses: neither is for another store to keep. */
function digest(key: string): string {
  return createHash('sha256').update(key).digest('base64url')
}

/**
 * Tells the client what is left (the RateLimit header fields of the IETF's HTTP API working group).
 * @throws Problem rate_limited (429) when an allowance is used up, with Retry-After and, more exactly, the `retry-after-ms` that
 *   SDKs of model vendors read first
 */
export function enforceQuotas(res: ServerResponse, quotas: readonly Quota[]): void {
  res.setHeader(
    'RateLimit-Policy',
    quotas.map(({ name, limit, windowSeconds }) => `"${name}";q=${limit};w=${windowSeconds}`).join(', '),
  )
  res.setHeader(
    'RateLimit',
    quotas
      .map(({ name, remaining, resetSeconds }) => `"${name}";r=${remaining};t=${resetSeconds}`)
      .join(', '),
  )
  const exceeded = quotas.find((quota) => quota.exceeded)
  if (!exceeded) return
  countEvent(METRIC.rateLimited, { [ATTRIBUTE.limit]: exceeded.name })
  throw new Problem('rate_limited', 'Too many attempts. Try again later.', {
    headers: { 'Retry-After': String(exceeded.resetSeconds), 'retry-after-ms': String(exceeded.resetMs) },
  })
}
