import { GrantError } from '@waybill/auth'
import { recordAudit } from '@waybill/database'
import type { Database } from '@waybill/database'
import type { GrantRequest, Grants } from './grants.ts'
import { serviceClient } from '../people/principals.ts'
import type { Schema } from '../store/schema.ts'

/** As `grants`, and whatever is denied to a service stands in the audit. */
export function auditedGrants(grants: Grants, database: Database<Schema>): Grants {
  const audited = async <T>(action: string, request: GrantRequest, work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      if (!(error instanceof GrantError)) throw error
      await database.withoutPrincipal((tx) =>
        recordAudit(tx, {
          action,
          resource: `audience/${request.audience}`,
          outcome: 'denied',
          details: { error: error.code, reason: error.message },
          principal: serviceClient(request.client),
        }),
      )
      throw error
    }
  }
  return {
    clientCredentials: (request) =>
      audited('token.client_credentials', request, grants.clientCredentials(request)),
    exchange: (request) => audited('token.exchange', request, grants.exchange(request)),
  }
}
