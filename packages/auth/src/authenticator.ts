import type { IncomingMessage } from 'node:http'
import { Problem, requestContext, Secret } from '@waybill/service-kit'
import type { Authenticate } from '@waybill/service-kit'
import { principalOf } from './claims.ts'
import { contradictingHeader } from './identity-headers.ts'
import { invalidToken } from './token-shape.ts'
import type { Verifier } from './verifier.ts'

export interface AuthenticatorOptions {
  verifier: Verifier
  /** At the edge identity headers come from strangers and are ignored; inside they must agree with the credential. */
  edge?: boolean
}

/** The headers in which a credential can come. API keys are recognised here even where none is accepted. */
const CREDENTIAL_HEADERS = ['authorization', 'x-api-key'] as const

/**
 * Turns the credential of a request into a Principal. A request with two kinds of credential is refused, and an invalid
 * one never falls back to another.
 */
export function createAuthenticator({ verifier, edge = false }: AuthenticatorOptions): Authenticate {
  return async (req) => {
    const kind = credentialKind(req)
    if (!kind) return undefined
    if (kind === 'x-api-key') throw invalidToken('This service does not accept API keys.')
    const token = bearerToken(req.headers.authorization ?? '')
    const principal = principalOf(await verifier.verify(token))
    const contradiction = edge ? undefined : contradictingHeader(req.headers, principal)
    if (contradiction) {
      requestContext()?.log.warn({ audit: 'identity_header_mismatch', header: contradiction }, 'refused')
      throw new Problem('identity_header_mismatch', `${contradiction} is not what the credential says.`)
    }
    return { principal, credential: new Secret(token) }
  }
}

function credentialKind(req: IncomingMessage): (typeof CREDENTIAL_HEADERS)[number] | undefined {
  const sent = CREDENTIAL_HEADERS.filter((name) => req.headers[name] !== undefined)
  // Node keeps only the first of two Authorization headers, so the raw list is what tells.
  const repeated =
    req.rawHeaders.filter((text, at) => at % 2 === 0 && text.toLowerCase() === 'authorization').length > 1
  if (sent.length > 1 || repeated) {
    throw new Problem(
      'ambiguous_credentials',
      'Send one credential: either Authorization or X-API-Key, once.',
    )
  }
  return sent[0]
}

function bearerToken(authorization: string): string {
  const token = /^Bearer +([^\s,]+)$/i.exec(authorization)?.[1]
  if (token === undefined) throw invalidToken('Authorization must be "Bearer" and one token.')
  return token
}
