import { env } from '@waybill/service-kit'
import type { z } from 'zod'

/** The cache of whole answers; spread into the service's schema. */
export const cacheEnv = {
  RESPONSE_CACHE: env
    .choice(['off', 'on'], 'off')
    .describe('Whether the same request of the same user with the same key is answered from memory'),
  RESPONSE_CACHE_TTL_SECONDS: env
    .int({ min: 1, max: 30 * 86_400, default: 3_600 })
    .describe('How long an answer is kept, in seconds'),
  RESPONSE_CACHE_MAX_BYTES: env
    .int({ min: 1024, max: 64 * 1024 ** 3, default: 64 * 1024 ** 2 })
    .describe('The most bytes of answers that are kept; those not used for longest go first'),
  RESPONSE_CACHE_MAX_ENTRY_BYTES: env
    .int({ min: 1024, max: 1024 ** 3, default: 1024 ** 2 })
    .describe('The largest answer that is kept, in bytes'),
}

export type CacheConfig = z.output<z.ZodObject<typeof cacheEnv>>
