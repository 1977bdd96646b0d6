import { open } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { Problem, requestContext, route } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Revocations } from '../revocations/revocations.ts'
import { CLIENT_SCHEMES } from './client-authentication.ts'
import type { AuthenticateClient } from './client-authentication.ts'
import { oauthErrorBody } from './oauth-problem.ts'

const { REVOCATIONS_MAX_WAIT_SECONDS, REVOCATIONS_PATH, revocationPage, revocationsQuery } = authService

/** What is left of a request's time for the answer itself, in milliseconds. */
const MARGIN_MS = 2_000

export interface RevocationRooms {
  authenticateClient: AuthenticateClient
  revocations: Revocations
  /** How many requests of one service may wait at the same time. */
  maxFollowers: number
}

export function revocationRoutes({
  authenticateClient,
  revocations,
  maxFollowers,
}: RevocationRooms): Route[] {
  const followers = new Map<string, number>()

  /** Counts a service's waiting requests. @throws Problem rate_limited */
  const following = async <T>(client: string, work: () => Promise<T>): Promise<T> => {
    const others = followers.get(client) ?? 0
    if (others >= maxFollowers) {
      const detail = `${client} follows the feed ${maxFollowers} times already.`
      throw new Problem('rate_limited', detail, { headers: { 'Retry-After': '1' } })
    }
    followers.set(client, others + 1)
    try {
      return await work()
    } finally {
      const left = (followers.get(client) ?? 1) - 1
      if (left > 0) followers.set(client, left)
      else followers.delete(client)
    }
  }

  return [
    route('GET', REVOCATIONS_PATH, {
      auth: open('the service authenticates as an OAuth client, by its secret or by its certificate'),
      summary: 'The feed of what is believed no more; waits for news',
      timeoutMs: REVOCATIONS_MAX_WAIT_SECONDS * 1000 + 2 * MARGIN_MS,
      describes: { schemes: CLIENT_SCHEMES },
      input: { query: revocationsQuery },
      output: revocationPage,
      problems: ['bad_request', 'invalid_credentials', 'rate_limited', 'unavailable'],
      renderProblem: oauthErrorBody,
      async handle({ req, query, signal }) {
        const client = await authenticateClient(req)
        const leftMs = (requestContext()?.deadline ?? 0) - Date.now() - MARGIN_MS
        const waitSeconds = Math.min(query.wait, leftMs / 1000)
        return following(client.name, () => revocations.after(query.after, waitSeconds, signal))
      },
    }),
  ]
}
