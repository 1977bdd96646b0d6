import { open } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { reply, route, Secret } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { RevokeToken } from '../tokens/token-revocation.ts'
import { CLIENT_SCHEMES } from './client-authentication.ts'
import type { AuthenticateClient } from './client-authentication.ts'
import { clientFields, FORM_LIMIT_BYTES, FORM_PROBLEMS, parseForm, readForm, tokenForm } from './form.ts'
import { oauthErrorBody, oauthProblem } from './oauth-problem.ts'

export interface RevokeRooms {
  authenticateClient: AuthenticateClient
  revokeToken: RevokeToken
}

export function revokeRoutes({ authenticateClient, revokeToken }: RevokeRooms): Route[] {
  return [
    route('POST', authService.REVOKE_PATH, {
      auth: open('the service authenticates as an OAuth client, by its secret or by its certificate'),
      summary: 'Revoke an access token, or a refresh token with its session (RFC 7009)',
      bodyType: 'stream',
      bodyLimitBytes: FORM_LIMIT_BYTES,
      describes: { form: tokenForm.extend(clientFields), schemes: CLIENT_SCHEMES },
      problems: FORM_PROBLEMS,
      renderProblem: oauthErrorBody,
      async handle({ req }) {
        const fields = await readForm(req, FORM_LIMIT_BYTES)
        const client = await authenticateClient(req, fields)
        const outcome = await revokeToken(client, new Secret(parseForm(tokenForm, fields).token))
        if (outcome === 'done') return reply(200)
        if (outcome === 'unauthorized') {
          // RFC 7009 section 2.1: whoever it was not issued to is told so.
          const why = 'The token was issued neither to this client nor for it.'
          throw oauthProblem('unauthorized_client', why)
        }
        throw oauthProblem('unsupported_token_type', 'An API key is revoked by its owner, at /auth/api-keys.')
      },
    }),
  ]
}
