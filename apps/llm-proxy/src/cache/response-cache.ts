import { LRUCache } from 'lru-cache'
import type { Operation } from '../protocols/protocol.ts'
import { digestOf } from './cache-key.ts'
import type { CacheConfig } from './config.ts'

/** A whole answer that was given before. */
export interface CachedAnswer {
  status: number
  headers: Readonly<Record<string, string>>
  body: Buffer
}

/** What makes two requests the same: everything that the answer may depend on, and whose it is. */
export interface CacheKeyParts {
  userId: string
  provider: string
  /** The user's key and its version: what another account was told counts no more. */
  key: string
  operation: Operation
  method: string
  /** With its query. */
  path: string
  /** Those that went to the provider, without its credential. */
  headers: Readonly<Record<string, string>>
  body: Buffer
  /** The client's `Cache-Control` (RFC 9111, 5.2.1). */
  cacheControl?: string | undefined
}

/** Where an answer is kept. */
export interface CacheKey {
  digest: string
  /** False when the client wants a new answer (`no-cache`), which is kept nevertheless. */
  readable: boolean
}

/** Exact-match answers of one user each; bounded in entries' bytes and age. Off unless configured. */
export interface ResponseCache {
  /** Undefined when the cache is off, or the request has no place in it: `no-store`, no POST, nothing that a model answers. */
  keyOf(parts: CacheKeyParts): CacheKey | undefined
  get(key: CacheKey): CachedAnswer | undefined
  /** Others than 200 and too large ones are not kept. */
  set(key: CacheKey, answer: CachedAnswer): void
}

/** `now`: milliseconds that never go back. */
export function createResponseCache(
  config: CacheConfig,
  { now }: { now?: () => number } = {},
): ResponseCache {
  if (config.RESPONSE_CACHE === 'off')
    return { keyOf: () => undefined, get: () => undefined, set: () => undefined }
  const answers = new LRUCache<string, CachedAnswer>({
    maxSize: config.RESPONSE_CACHE_MAX_BYTES,
    maxEntrySize: config.RESPONSE_CACHE_MAX_ENTRY_BYTES,
    sizeCalculation: sizeOf,
    ttl: config.RESPONSE_CACHE_TTL_SECONDS * 1_000,
    ttlResolution: 0,
    ...(now && { perf: { now } }),
  })
  return {
    keyOf(parts) {
      const wishes = directives(parts.cacheControl)
      if (parts.method !== 'POST' || parts.operation === 'other' || wishes.includes('no-store'))
        return undefined
      return {
        digest: digestOf(parts),
        readable: !wishes.includes('no-cache') && !wishes.includes('max-age=0'),
      }
    },
    get: ({ digest, readable }) => (readable ? answers.get(digest) : undefined),
    set({ digest }, answer) {
      if (answer.status === 200) answers.set(digest, answer)
    },
  }
}

function directives(cacheControl = ''): string[] {
  return cacheControl.split(',').map((part) => part.trim().toLowerCase())
}

/** What an entry takes beside its bytes: a digest, the objects, its place in the list. */
const OVERHEAD_BYTES = 512

function sizeOf({ headers, body }: CachedAnswer): number {
  const names = Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  return OVERHEAD_BYTES + names + body.length
}
