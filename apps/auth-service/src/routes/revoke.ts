import { open } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { reply, route, Secret } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import { z } from 'zod'
import type { RevokeToken } from '../token-revocation.ts'
import { CLIENT_SCHEMES } from './client-authentication.ts'
import type { AuthenticateClient } from './client-authentication.ts'
import { clientFields, FORM_LIMIT_BYTES, parseForm, readForm } from './form.ts'
import { oauthErrorBody, oauthProblem } from './oauth-problem.ts'

const form = z.object({ token: z.string(), token_type_hint: z.string().optional() })

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
      describes: { form: form.extend(clientFields), schemes: CLIENT_SCHEMES },
      problems: ['bad_request', 'invalid_credentials', 'unsupported_media_type', 'payload_too_large'],
      renderProblem: oauthErrorBody,
      async handle({ req }) {
        const fields = await readForm(req, FORM_LIMIT_BYTES)
        const client = await authenticateClient(req, fields)
        const outcome = await revokeToken(client, new Secret(parseForm(form, fields).token))
        if (outcome === 'done') return reply(200)
        throw oauthProblem('unsupported_token_type', 'An API key is revoked by its owner, at /auth/api-keys.')
      },
    }),
  ]
}
