import { recordAudit } from '@waybill/database'
import type { AuditOutcome, OwnerDatabase } from '@waybill/database'
import { callsAsService, isSuccess, restProblem } from '@waybill/http-client'
import type { ExternalClient, RestRequest, SupabaseProject } from '@waybill/http-client'
import { ConfigError, Problem } from '@waybill/service-kit'
import type { Tables } from '../tables.ts'
import type { SealedRows } from './reencrypt.ts'
import { bytesOf, readRows } from './rest-rows.ts'
import { reencryptEntry } from './sealed-rows-postgres.ts'
import { KEY_STORE_NAME } from './store-supabase.ts'

export interface SupabaseSealedRowsOptions {
  client: ExternalClient
  project: SupabaseProject
  /** Where the audit is. */
  owner: OwnerDatabase<Tables>
}

/** The keys in a project of Supabase, with its secret key, for which no policy holds. @throws ConfigError when there is none */
export function supabaseSealedRows({ client, project, owner }: SupabaseSealedRowsOptions): SealedRows {
  const { secretKey } = project
  if (!secretKey) {
    const message = 'is required to re-encrypt keys in Supabase: only with it are those of all users seen'
    throw new ConfigError([{ variable: 'SUPABASE_SECRET_KEY', message }])
  }
  const send = callsAsService(client, project, secretKey)
  const call = async (request: RestRequest) => {
    const answer = await send(request)
    if (isSuccess(answer)) return answer
    if (answer.status === 401 || answer.status === 403)
      throw new Problem(
        'forbidden',
        'The secret key of the project does not let the provider keys be re-encrypted.',
      )
    throw restProblem(answer, KEY_STORE_NAME)
  }
  return {
    async page(after, most) {
      const query = [
        ['id', `gt.${after}`],
        ['order', 'id'],
        ['limit', String(most)],
      ] as const
      return readRows(await call({ method: 'GET', path: 'provider_keys', query }))
    },

    async replace(row, { sealed, kek }) {
      const note = (outcome: AuditOutcome) =>
        owner.transaction((tx) => recordAudit(tx, { ...reencryptEntry(row, kek), outcome }))
      await note('intent')
      const { body } = await call({
        method: 'PATCH',
        path: 'provider_keys',
        query: [
          ['id', `eq.${row.id}`],
          ['sealed', `eq.${bytesOf(row.sealed)}`],
          ['select', 'id'],
        ],
        body: { sealed: bytesOf(sealed), kek },
        prefer: ['return=representation'],
      })
      const isDone = Array.isArray(body) && body.length > 0
      await note(isDone ? 'success' : 'failure')
      return isDone
    },
  }
}
