import { setTimeout as delay } from 'node:timers/promises'
import {
  callsAsUser,
  codeOf,
  hasDoneNothing,
  isRefusedToken,
  isSuccess,
  isUnknownToSchema,
} from '@waybill/http-client'
import type { ExternalClient, OnBehalfOf, RestAnswer, RestRequest } from '@waybill/http-client'
import type { Logger } from '@waybill/service-kit'
import { nothingDone } from '../../refusal.ts'
import type { SupabaseSettings } from './config.ts'
import { NO_PRIVILEGE, problemFor, schemaIsStale } from './problems.ts'
import { RELOAD_PAUSES_MS } from './schema-reload.ts'
import type { SchemaReload } from './schema-reload.ts'

/** Calls on behalf of the user whose request is being served: the policies of the database decide what they see and touch. */
export interface UserClient {
  /**
   * The answer, if it is a success or one of `accepted`, by code. A token that is not believed is replaced once, and a schema
   * that PostgREST does not know is read anew.
   * @throws Problem for any other answer, DownstreamError when there is none
   */
  call(request: RestRequest, accepted?: readonly string[]): Promise<RestAnswer>
}

export interface UserClientOptions {
  client: ExternalClient
  settings: SupabaseSettings
  /** The caller's JWT for the audience of the project. */
  tokens: OnBehalfOf
  reload: SchemaReload
  log: Logger
}

export function createUserClient({ client, settings, tokens, reload, log }: UserClientOptions): UserClient {
  const send = callsAsUser({
    ...{ client, project: settings },
    tokens: {
      forget: (token) => {
        tokens.forget(token)
      },
      token: () =>
        tokens.token().catch((error: unknown) => {
          // Without a token nothing is asked of the records.
          throw nothingDone(error)
        }),
    },
  })
  const withReload = async (request: RestRequest) => {
    let answer = await send(request)
    if (!isUnknownToSchema(answer) || !(await reload.ask())) return answer
    for (const pauseMs of RELOAD_PAUSES_MS) {
      await delay(pauseMs)
      answer = await send(request)
      if (!isUnknownToSchema(answer)) break
    }
    return answer
  }

  const denied = new Set<string>()
  /** Once for each place: whether it is a client's doing or a privilege that is missing for everybody, the code does not say. */
  const tellDenied = (told: { path: string }) => {
    if (denied.has(told.path)) return
    denied.add(told.path)
    log.warn(told, 'Supabase allows a user not to do this; if it does so for everybody, run collections.sql')
  }

  const call: UserClient['call'] = async (request, accepted = []) => {
    const answer = await withReload(request)
    if (isSuccess(answer) || accepted.includes(codeOf(answer))) return answer
    const { path } = request
    const told = { code: codeOf(answer), status: answer.status, path }
    if (isUnknownToSchema(answer)) {
      log.error(told, "PostgREST does not know this: run collections.sql, then notify pgrst, 'reload schema'")
      throw nothingDone(schemaIsStale())
    }
    if (isRefusedToken(answer)) {
      log.error(
        told,
        'Supabase does not believe the tokens of auth-service: see its keys and SUPABASE_AUDIENCE',
      )
    } else if (told.code === NO_PRIVILEGE) {
      tellDenied(told)
    } else if (answer.status >= 500) {
      log.warn(told, 'Supabase failed')
    }
    throw hasDoneNothing(answer) ? nothingDone(problemFor(answer)) : problemFor(answer)
  }

  return {
    call: (request, accepted) =>
      call(request, accepted).catch((error: unknown) => {
        // Each operation has one request that writes, and ends with it.
        throw request.method === 'GET' ? nothingDone(error) : error
      }),
  }
}
