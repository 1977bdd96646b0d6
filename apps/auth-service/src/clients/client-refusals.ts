import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import { ATTRIBUTE, countEvent, METRIC } from '@waybill/telemetry'
import type { Limits } from '../people/limits.ts'
import type { ServiceClients } from './service-clients.ts'
import type { Schema } from '../store/schema.ts'

/**
 * Writes down that a request from `address` has not proved to come from the service that it names.
 * @throws Problem rate_limited when that was once too often: then it is not written down
 */
export type NoteRefusedClient = (name: string | undefined, address: string) => Promise<void>

export interface ClientRefusalOptions {
  database: Database<Schema>
  clients: Pick<ServiceClients, 'isKnown'>
  limits: Pick<Limits, 'clientFailure'>
}

/** Who proves itself is never counted, so nobody at the same address can keep a service out. */
export function createClientRefusals({ database, clients, limits }: ClientRefusalOptions): NoteRefusedClient {
  return async (name, address) => {
    const quota = await limits.clientFailure(address)
    if (quota.exceeded) {
      countEvent(METRIC.rateLimited, { [ATTRIBUTE.limit]: quota.name })
      throw new Problem('rate_limited', 'Too many attempts. Try again later.', {
        headers: { 'Retry-After': String(quota.resetSeconds) },
      })
    }
    // Not a name that no service has: it may be a secret in the wrong place.
    const known = name !== undefined && (await clients.isKnown(name)) ? name : 'unknown'
    await database.withoutPrincipal((tx) =>
      recordAudit(tx, {
        ...{ action: 'service_client.authenticate', resource: `service_client/${known}`, outcome: 'denied' },
      }),
    )
  }
}
