import { GrantError, open } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { route, Secret } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import { z } from 'zod'
import type { Client, GrantedToken, Grants } from '../tokens/grants.ts'
import { CLIENT_SCHEMES } from './client-authentication.ts'
import type { AuthenticateClient } from './client-authentication.ts'
import { clientFields, FORM_LIMIT_BYTES, FORM_PROBLEMS, parseForm, readForm } from './form.ts'
import { oauthErrorBody, oauthProblem } from './oauth-problem.ts'

const { GRANT_TOKEN_EXCHANGE, TOKEN_PATH, TOKEN_TYPE_ACCESS_TOKEN, TOKEN_TYPE_API_KEY, tokenResponse } =
  authService

/** RFC 6749 section 3.3. */
const scopes = z
  .string()
  .regex(/^[!#-[\]-~]+(?: [!#-[\]-~]+)*$/)
  .transform((text) => text.split(' '))
const name = z.string().regex(/^[!-~]{1,256}$/)

const grantForm = z.object({ audience: name, scope: scopes.optional(), workspace_id: name.optional() })

const exchangeForm = grantForm.extend({
  subject_token: z.string().transform((token) => new Secret(token)),
  subject_token_type: z.enum([TOKEN_TYPE_ACCESS_TOKEN, TOKEN_TYPE_API_KEY]),
  requested_token_type: z.literal(TOKEN_TYPE_ACCESS_TOKEN).optional(),
  // The actor is the client itself, and the audience is named by its name: these would be overheard otherwise.
  actor_token: z.undefined().optional(),
  resource: z.undefined().optional(),
})

/** Both grants as one form, for the documentation. */
const describedForm = z.object({
  grant_type: z.enum(['client_credentials', GRANT_TOKEN_EXCHANGE]),
  ...grantForm.shape,
  subject_token: z.string().optional(),
  subject_token_type: exchangeForm.shape.subject_token_type.optional(),
  requested_token_type: exchangeForm.shape.requested_token_type,
  ...clientFields,
})

export interface TokenRooms {
  authenticateClient: AuthenticateClient
  grants: Grants
}

/** The token endpoint (RFC 6749 section 3.2), for services only. */
export function tokenRoutes({ authenticateClient, grants }: TokenRooms): Route[] {
  return [
    route('POST', TOKEN_PATH, {
      auth: open('the service authenticates as an OAuth client, by its secret or by its certificate'),
      summary: 'A token in the own name (client_credentials) or on behalf of a user (RFC 8693)',
      bodyType: 'stream',
      bodyLimitBytes: FORM_LIMIT_BYTES,
      describes: { form: describedForm, schemes: CLIENT_SCHEMES },
      output: tokenResponse,
      problems: FORM_PROBLEMS,
      renderProblem: oauthErrorBody,
      async handle({ req }) {
        const form = await readForm(req, FORM_LIMIT_BYTES)
        const client = await authenticateClient(req, form)
        return grant(client, form, grants).catch(asOAuthProblem)
      },
    }),
  ]
}

async function grant(client: Client, form: ReadonlyMap<string, string>, grants: Grants) {
  const type = form.get('grant_type')
  if (type === 'client_credentials') {
    const { audience, scope, workspace_id: workspaceId } = parseForm(grantForm, form)
    return answer(await grants.clientCredentials({ client, audience, scope, workspaceId }))
  }
  if (type === GRANT_TOKEN_EXCHANGE) {
    const fields = parseForm(exchangeForm, form)
    const { audience, scope, workspace_id: workspaceId, subject_token: secret } = fields
    const subject = {
      type:
        fields.subject_token_type === TOKEN_TYPE_API_KEY ? ('api-key' as const) : ('access-token' as const),
      secret,
    }
    const granted = await grants.exchange({ client, audience, scope, workspaceId, subject })
    return { ...answer(granted), issued_token_type: TOKEN_TYPE_ACCESS_TOKEN }
  }
  if (type === undefined) throw oauthProblem('invalid_request', 'grant_type is missing.')
  throw oauthProblem('unsupported_grant_type', 'Only client_credentials and token exchange are supported.')
}

function answer({ token, expiresIn, scope }: GrantedToken) {
  return { access_token: token, token_type: 'Bearer' as const, expires_in: expiresIn, scope }
}

function asOAuthProblem(error: unknown): never {
  throw error instanceof GrantError ? oauthProblem(error.code, error.message) : error
}
