import { createHash, timingSafeEqual } from 'node:crypto'
import type { Secret } from '@waybill/service-kit'
import type { ClientHashes } from './config-values.ts'

/** Who a service is by its secret; compared in constant time, an unknown name like a known one. */
export interface ServiceClients {
  isGenuine(name: string, secret: Secret): boolean
}

const NOBODY: readonly Buffer[] = [Buffer.alloc(32)]

export function createServiceClients(hashes: ClientHashes): ServiceClients {
  return {
    isGenuine(name, secret) {
      const digest = createHash('sha256').update(secret.reveal()).digest()
      const known = hashes.get(name)
      const matches = (known ?? NOBODY).map((hash) => timingSafeEqual(hash, digest))
      return known !== undefined && matches.includes(true)
    },
  }
}
