import { GrantError, open } from '@waybill/auth'
import { authService } from '@waybill/contracts'
import { route, Secret } from '@waybill/service-kit'
import type { Route } from '@waybill/service-kit'
import { setServerIdentity } from '@waybill/telemetry'
import { z } from 'zod'
import type { GrantedToken, Grants } from '../grants.ts'
import type { ServiceClients } from '../service-clients.ts'
import { presentedClient } from './client-credentials.ts'
import { readForm } from './form.ts'
import { oauthErrorBody, oauthProblem } from './oauth-problem.ts'

const { GRANT_TOKEN_EXCHANGE, TOKEN_PATH, TOKEN_TYPE_ACCESS_TOKEN, tokenResponse } = authService

const BODY_LIMIT_BYTES = 32 * 1024

/** RFC 6749 section 3.3. */
const scopes = z
  .string()
  .regex(/^[!#-[\]-~]+(?: [!#-[\]-~]+)*$/)
  .transform((text) => text.split(' '))
const name = z.string().regex(/^[!-~]{1,256}$/)

const grantForm = z.object({ audience: name, scope: scopes.optional(), workspace_id: name.optional() })

const exchangeForm = grantForm.extend({
  subject_token: z.string().transform((token) => new Secret(token)),
  subject_token_type: z.literal(TOKEN_TYPE_ACCESS_TOKEN),
  requested_token_type: z.literal(TOKEN_TYPE_ACCESS_TOKEN).optional(),
  // The actor is the client itself, and the audience is named by its name: these would be overheard otherwise.
  actor_token: z.undefined().optional(),
  resource: z.undefined().optional(),
})

export interface TokenRooms {
  clients: ServiceClients
  grants: Grants
}

/** The token endpoint (RFC 6749 section 3.2), for services only. */
export function tokenRoutes({ clients, grants }: TokenRooms): Route[] {
  return [
    route('POST', TOKEN_PATH, {
      auth: open('the service authenticates as an OAuth client: Basic, or client_id and client_secret'),
      summary: 'A token in the own name (client_credentials) or on behalf of a user (RFC 8693); form-encoded',
      bodyType: 'stream',
      bodyLimitBytes: BODY_LIMIT_BYTES,
      output: tokenResponse,
      problems: ['bad_request', 'invalid_credentials', 'unsupported_media_type', 'payload_too_large'],
      renderProblem: oauthErrorBody,
      async handle({ req, log }) {
        const form = await readForm(req, BODY_LIMIT_BYTES)
        const client = presentedClient(req, form)
        if (!clients.isGenuine(client.name, client.secret)) {
          log.warn({ audit: 'client_authentication_failed' }, 'refused')
          throw oauthProblem('invalid_client', 'The client or its secret is not known.')
        }
        setServerIdentity({ subject: `service:${client.name}`, actors: [], via: 'service-secret' })
        return grant(client.name, form, grants).catch(asOAuthProblem)
      },
    }),
  ]
}

async function grant(client: string, form: ReadonlyMap<string, string>, grants: Grants) {
  const type = form.get('grant_type')
  if (type === 'client_credentials') {
    const { audience, scope, workspace_id: workspaceId } = parse(grantForm, form)
    return answer(await grants.clientCredentials({ client, audience, scope, workspaceId }))
  }
  if (type === GRANT_TOKEN_EXCHANGE) {
    const fields = parse(exchangeForm, form)
    const { audience, scope, workspace_id: workspaceId, subject_token: subjectToken } = fields
    const granted = await grants.exchange({ client, audience, scope, workspaceId, subjectToken })
    return { ...answer(granted), issued_token_type: TOKEN_TYPE_ACCESS_TOKEN }
  }
  if (type === undefined) throw oauthProblem('invalid_request', 'grant_type is missing.')
  throw oauthProblem('unsupported_grant_type', 'Only client_credentials and token exchange are supported.')
}

function answer({ token, expiresIn, scope }: GrantedToken) {
  return { access_token: token, token_type: 'Bearer' as const, expires_in: expiresIn, scope }
}

function parse<S extends z.ZodObject>(schema: S, form: ReadonlyMap<string, string>): z.output<S> {
  const result = schema.safeParse(Object.fromEntries(form))
  if (result.success) return result.data
  const field = String(result.error.issues[0]?.path[0])
  throw oauthProblem('invalid_request', `${field} is missing or not acceptable.`)
}

function asOAuthProblem(error: unknown): never {
  throw error instanceof GrantError ? oauthProblem(error.code, error.message) : error
}
