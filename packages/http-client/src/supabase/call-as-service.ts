import type { Secret } from '@waybill/service-kit'
import type { ExternalClient } from '../external-client.ts'
import type { SupabaseProject } from './config.ts'
import type { RestAnswer } from './rest-answer.ts'
import { callRest } from './rest-call.ts'
import type { RestRequest } from './rest-call.ts'

/** A key of the new kind is for the gateway; one of the old kind is a JWT, and PostgREST wants to see it too. */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** Calls in the service's own name, with the project's secret key, for which no policy holds. @throws DownstreamError */
export function callsAsService(client: ExternalClient, project: SupabaseProject, secretKey: Secret) {
  return (request: RestRequest): Promise<RestAnswer> => {
    const apikey = secretKey.reveal()
    return callRest(client, project, request, { apikey, bearer: JWT.test(apikey) ? apikey : undefined })
  }
}
