import type { AuditEntry } from '@waybill/database'
import {
  callsAsUser,
  DownstreamError,
  codeOf,
  isRefusedToken,
  isSuccess,
  isUnknownToSchema,
  restProblem,
} from '@waybill/http-client'
import type {
  ExternalClient,
  OnBehalfOf,
  RestAnswer,
  RestRequest,
  SupabaseProject,
} from '@waybill/http-client'
import { Problem, unavailable } from '@waybill/service-kit'
import type { Logger, UserPrincipal } from '@waybill/service-kit'
import { bytesOf, readRows } from './rest-rows.ts'
import { nameTaken, tooManyKeys } from './key-problems.ts'
import type { KeyStore } from './key-store.ts'

/** The name by which auth-service knows whom the tokens are for (DELEGATION). */
export const SUPABASE_AUDIENCE = 'supabase'
/** As messages call it. */
export const KEY_STORE_NAME = 'The store of the provider keys'

/** What provider_key_add says of one key too many. */
const TOO_MANY = 'PT409'

/** Has what is done elsewhere stand in the audit: before it is done, and how it went. */
export type Audited = <T>(principal: UserPrincipal, entry: AuditEntry, work: () => Promise<T>) => Promise<T>

export interface SupabaseKeyStoreOptions {
  client: ExternalClient
  project: SupabaseProject
  tokens: OnBehalfOf
  audited: Audited
  note: KeyStore['note']
  log: Logger
}

/** The keys in a project of Supabase, each call with the user's own token: its policies decide, as those of Postgres do. */
export function createSupabaseKeyStore(options: SupabaseKeyStoreOptions): KeyStore {
  const { audited, note, log } = options
  const asUser = callsAsUser(options)
  const send = (request: RestRequest) =>
    asUser(request).catch((error: unknown) => {
      // A plain problem: who calls a provider with the key must not take it for a failure of the provider.
      if (!(error instanceof DownstreamError)) throw error
      throw new Problem(error.code, error.message, { headers: error.headers, cause: error })
    })
  const call = async (request: RestRequest, most = 0): Promise<RestAnswer> => {
    const answer = await send(request)
    if (isSuccess(answer)) return answer
    const told = { code: codeOf(answer), status: answer.status, path: request.path }
    if (isUnknownToSchema(answer)) {
      log.error(told, 'PostgREST does not know this: run supabase/provider-keys.sql in the project')
      throw unavailable(KEY_STORE_NAME, { retryAfter: 30 })
    }
    if (told.code === '23505') throw nameTaken()
    if (told.code === TOO_MANY) throw tooManyKeys(most)
    if (isRefusedToken(answer)) log.error(told, 'Supabase does not believe the tokens of auth-service')
    else log.warn(told, 'Supabase refused or failed')
    if (told.code === '42501') throw new Problem('forbidden', `${KEY_STORE_NAME} does not allow this.`)
    throw restProblem(answer, KEY_STORE_NAME)
  }
  const list = async () => {
    const query = [['order', 'created_at,id'] as const]
    return readRows(await call({ method: 'GET', path: 'provider_keys', query }))
  }

  return {
    list,

    add: (principal, key, most, audit) =>
      audited(principal, audit, async () => {
        const { id, userId, provider, name, baseUrl, kek, lastFour, isDefault, checked } = key
        const body = {
          most,
          key: {
            ...{ id, user_id: userId, provider, name, base_url: baseUrl, kek, last_four: lastFour, checked },
            ...{ sealed: bytesOf(key.sealed), is_default: isDefault ?? null },
          },
        }
        const [row] = readRows(await call({ method: 'POST', path: 'rpc/provider_key_add', body }, most))
        if (!row) throw new Problem('upstream_failed', `${KEY_STORE_NAME} answered in an unexpected form.`)
        return row
      }),

    change: (principal, id, { name, isDefault, rotated, checked }, audit) =>
      audited(principal, audit, async () => {
        const change = {
          ...{ name, is_default: isDefault, checked },
          ...(rotated && { sealed: bytesOf(rotated.sealed), kek: rotated.kek, last_four: rotated.lastFour }),
        }
        const body = { key_id: id, change }
        return readRows(await call({ method: 'POST', path: 'rpc/provider_key_change', body }))[0]
      }),

    remove: (principal, id, audit) =>
      audited(principal, audit, async () => {
        const query = [['id', `eq.${id}`] as const, ['select', 'id'] as const]
        const prefer = ['return=representation']
        const { body } = await call({ method: 'DELETE', path: 'provider_keys', query, prefer })
        return Array.isArray(body) && body.length > 0
      }),

    note,
  }
}
