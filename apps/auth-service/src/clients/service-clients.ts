import { createHash, timingSafeEqual } from 'node:crypto'
import type { Database } from '@waybill/database'
import type { Secret } from '@waybill/service-kit'
import type { ClientHashes } from '../config-values.ts'
import { findSecretHashes } from '../store/service-clients.ts'
import type { Schema } from '../store/schema.ts'

/** Which services may ask for tokens: those of SERVICE_CLIENTS, and those that an administrator has registered. */
export interface ServiceClients {
  /** Who a service is by its secret; compared in constant time, an unknown name like a known one. */
  isGenuine(name: string, secret: Secret): Promise<boolean>
  /** Whether there is a service of that name that is not disabled, for one that has proved its name otherwise. */
  isKnown(name: string): Promise<boolean>
}

const NOBODY: readonly Buffer[] = [Buffer.alloc(32)]

/** What `configured` says of a name holds, whatever the database says of it. */
export function createServiceClients(configured: ClientHashes, database: Database<Schema>): ServiceClients {
  const hashesOf = async (name: string): Promise<readonly Buffer[] | undefined> =>
    configured.get(name) ??
    (await database.withoutPrincipal((tx) => findSecretHashes(tx, name), { readOnly: true }))
  return {
    async isGenuine(name, secret) {
      const digest = createHash('sha256').update(secret.reveal()).digest()
      const known = await hashesOf(name)
      const matches = (known ?? NOBODY).map((hash) => timingSafeEqual(hash, digest))
      return known !== undefined && matches.includes(true)
    },
    isKnown: async (name) => (await hashesOf(name)) !== undefined,
  }
}
