import { createHash, timingSafeEqual } from 'node:crypto'
import type { Secret } from '@waybill/service-kit'

/** The SHA-256 of one secret of a service, and when it ends. */
export interface ServiceSecretHash {
  hash: Buffer
  expiresAt?: Date | undefined
}

/** By the name of the service: its secret, or two while one is being replaced by the other. */
export type ServiceSecretHashes = ReadonlyMap<string, readonly ServiceSecretHash[]>

export interface ServiceSecrets {
  /** Whether the secret is one of the named service's own, and has not expired. */
  verify(service: string, secret: Secret): boolean
}

const MAX_LIVE = 2
const DECOY: ServiceSecretHash = { hash: Buffer.alloc(32) }

/**
 * The static secrets of services. The same two comparisons are made whether the name is known or not, and whatever was
 * sent, so that the time tells nothing.
 */
export function createServiceSecrets(
  hashes: ServiceSecretHashes,
  { now = Date.now }: { now?: () => number } = {},
): ServiceSecrets {
  for (const [name, list] of hashes) {
    if (list.length > MAX_LIVE) throw new RangeError(`${name} has more than ${String(MAX_LIVE)} secrets.`)
  }
  return {
    verify(service, secret) {
      const digest = createHash('sha256').update(secret.reveal()).digest()
      const registered = hashes.get(service) ?? []
      const candidates = [...registered, DECOY, DECOY].slice(0, MAX_LIVE)
      const matches = candidates.map(
        (candidate, at) =>
          timingSafeEqual(candidate.hash, digest) &&
          at < registered.length &&
          (candidate.expiresAt === undefined || candidate.expiresAt.getTime() > now()),
      )
      return matches.includes(true)
    },
  }
}
