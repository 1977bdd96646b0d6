import { callsAsService, isSuccess, isUnknownToSchema } from '@waybill/http-client'
import type { ExternalClient } from '@waybill/http-client'
import type { Secret } from '@waybill/service-kit'
import type { SupabaseSettings } from './config.ts'
import { problemFor } from './problems.ts'

/**
 * The service's own operations in a project, with its secret key, for which no policy holds. They are named here one by one,
 * none of them touches a record, and there is no way to have another made.
 */
export interface AdminClient {
  /** Makes PostgREST read the schema anew; it has when the next answers say so. @throws Problem, DownstreamError */
  reloadSchema(): Promise<void>
  /** Those of the tables that PostgREST does not know of. @throws Problem, DownstreamError */
  missingTables(tables: readonly string[]): Promise<string[]>
}

export function createAdminClient(
  client: ExternalClient,
  settings: SupabaseSettings,
  secretKey: Secret,
): AdminClient {
  const call = callsAsService(client, settings, secretKey)
  return {
    async reloadSchema() {
      const answer = await call({ method: 'POST', path: 'rpc/waybill_reload_schema', body: {} })
      if (!isSuccess(answer)) throw problemFor(answer)
    },
    async missingTables(tables) {
      const missing: string[] = []
      for (const table of tables) {
        const query = [['select', 'id'] as const, ['limit', '0'] as const]
        const answer = await call({ method: 'GET', path: table, query })
        if (isUnknownToSchema(answer)) missing.push(table)
        else if (!isSuccess(answer)) throw problemFor(answer)
      }
      return missing
    },
  }
}
