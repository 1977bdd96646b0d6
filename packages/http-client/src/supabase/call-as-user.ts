import type { ExternalClient } from '../external-client.ts'
import type { OnBehalfOf } from '../on-behalf-of.ts'
import type { SupabaseProject } from './config.ts'
import { isRefusedToken } from './rest-answer.ts'
import type { RestAnswer } from './rest-answer.ts'
import { callRest } from './rest-call.ts'
import type { RestRequest } from './rest-call.ts'

export interface UserCallOptions {
  client: ExternalClient
  project: SupabaseProject
  /** The caller's JWT for the audience of the project. */
  tokens: OnBehalfOf
}

/**
 * Calls on behalf of the user whose request is being served, each with the publishable key and the user's token: the policies of the
 * database decide what they see and touch. The answer comes back with whatever status; a token that is not believed is replaced
 * once.
 * @throws Problem as OnBehalfOf does, DownstreamError when there is no answer
 */
export function callsAsUser({ client, project, tokens }: UserCallOptions) {
  const apikey = project.publishableKey.reveal()
  const once = (request: RestRequest, bearer: string) =>
    callRest(client, project, request, { apikey, bearer })
  return async (request: RestRequest): Promise<RestAnswer> => {
    const bearer = await tokens.token()
    const answer = await once(request, bearer)
    if (!isRefusedToken(answer)) return answer
    // It may have expired on its way, or its key may have been replaced.
    tokens.forget(bearer)
    return once(request, await tokens.token())
  }
}
