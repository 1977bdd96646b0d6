import type { Logger } from '@waybill/service-kit'
import type { LimitsConfig } from './config.ts'
import { createMemoryStore } from './memory-store.ts'
import { createRedisStore } from './redis-store.ts'
import type { LimitStore } from './store.ts'

/** Where calls are counted, by the configuration: in this process, or in Redis for all instances together. */
export function openLimitStore(config: LimitsConfig, log: Logger, now: () => number): LimitStore {
  const memory = createMemoryStore(now)
  if (!config.REDIS_URL) return memory
  const leaseMs = config.CONCURRENCY_LEASE_SECONDS * 1_000
  return createRedisStore({ url: config.REDIS_URL, meanwhile: memory, leaseMs, log })
}
