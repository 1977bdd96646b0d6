import { expectedIdentity, hasPermission, open } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { Problem, reply, route } from '@waybill/service-kit'
import type { Authenticate, Principal, Route } from '@waybill/service-kit'

const { VERIFIED_HEADERS, VERIFY_PATH, verifyQuery } = authService

export interface VerifyRooms {
  /** As the services do it, except that identity headers say nothing: here they come from strangers. */
  authenticate: Authenticate
}

/** For a gateway's sub-request (nginx: auth_request), whatever the method of the request that it asks about. */
export function verifyRoutes({ authenticate }: VerifyRooms): Route[] {
  return [
    route('GET', VERIFY_PATH, {
      auth: open('the credential that it is asked about is the one that it is sent'),
      summary: 'Who a credential stands for, in headers; 403 without `permission`',
      describes: { schemes: ['bearer', 'apiKey', 'mutualTLS'] },
      input: { query: verifyQuery },
      problems: ['unauthenticated', 'invalid_token', 'ambiguous_credentials', 'insufficient_permission'],
      async handle({ req, query: { permission } }) {
        const caller = await authenticate(req)
        if (!caller) throw new Problem('unauthenticated', 'There is no credential.')
        const { principal } = caller
        if (permission !== undefined && !hasPermission(principal.permissions, permission)) {
          throw new Problem('insufficient_permission', `The permission ${permission} is missing.`, {
            extensions: { permission },
          })
        }
        return reply(200, undefined, headersOf(principal))
      },
    }),
  ]
}

function headersOf(principal: Principal): Record<string, string> {
  return {
    ...expectedIdentity(principal),
    [VERIFIED_HEADERS.role]: principal.kind === 'user' ? principal.role : '',
    [VERIFIED_HEADERS.permissions]: principal.permissions.join(' '),
    [VERIFIED_HEADERS.via]: principal.via,
  }
}
