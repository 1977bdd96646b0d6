import { expectedIdentity, hasPermission, open } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { Problem, reply, requestContext, route } from '@waybill/service-kit'
import type { Authenticate, Principal, Route } from '@waybill/service-kit'

const { VERIFIED_HEADERS, VERIFY_PATH, verifyQuery } = authService

export interface VerifyRooms {
  /**
   * As the services do it, except that identity headers say nothing, because they come from strangers, and neither does
   * a client certificate, because it is the gateway's.
   */
  authenticate: Authenticate
}

/** What a 200 says, for the documentation. */
const DESCRIBED_HEADERS = {
  'X-User-ID': 'The user, or nothing for a service',
  'X-Tenant-ID': 'The tenant, or nothing',
  'X-Service-Name': 'The service that calls, or nothing',
  [VERIFIED_HEADERS.role]: 'The role of the user',
  [VERIFIED_HEADERS.permissions]: 'What the credential allows, separated by spaces',
  [VERIFIED_HEADERS.via]: 'How the caller proved who it is',
}

/** For a gateway's sub-request, which may come with the method of the request that it asks about (Envoy), and a body. */
export function verifyRoutes({ authenticate }: VerifyRooms): Route[] {
  return [
    route('ANY', VERIFY_PATH, {
      auth: open('the credential that it is asked about is the one that it is sent'),
      summary: 'Who a credential stands for, in headers; 403 without `permission`',
      describes: { schemes: ['bearer', 'apiKey'], headers: DESCRIBED_HEADERS },
      input: { query: verifyQuery },
      problems: ['unauthenticated', 'invalid_token', 'ambiguous_credentials', 'insufficient_permission'],
      async handle({ req, query: { permission } }) {
        const caller = await authenticate(req)
        if (!caller) throw new Problem('unauthenticated', 'There is no credential.')
        const { principal } = caller
        // What is denied here is told to the audit as at a route with a guard.
        const context = requestContext()
        if (context) context.principal = principal
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
