import { open } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { route, Secret } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import type { Introspect } from '../tokens/introspection.ts'
import { CLIENT_SCHEMES } from './client-authentication.ts'
import type { AuthenticateClient } from './client-authentication.ts'
import { clientFields, FORM_LIMIT_BYTES, FORM_PROBLEMS, parseForm, readForm, tokenForm } from './form.ts'
import { oauthErrorBody } from './oauth-problem.ts'

export interface IntrospectRooms {
  authenticateClient: AuthenticateClient
  introspect: Introspect
}

export function introspectRoutes({ authenticateClient, introspect }: IntrospectRooms): Route[] {
  return [
    route('POST', authService.INTROSPECT_PATH, {
      auth: open('the service authenticates as an OAuth client, by its secret or by its certificate'),
      summary: 'What a token or an API key is worth at this moment (RFC 7662)',
      bodyType: 'stream',
      bodyLimitBytes: FORM_LIMIT_BYTES,
      describes: { form: tokenForm.extend(clientFields), schemes: CLIENT_SCHEMES },
      output: authService.introspection,
      problems: FORM_PROBLEMS,
      renderProblem: oauthErrorBody,
      async handle({ req }) {
        const fields = await readForm(req, FORM_LIMIT_BYTES)
        const client = await authenticateClient(req, fields)
        return introspect(client, new Secret(parseForm(tokenForm, fields).token))
      },
    }),
  ]
}
