import type { IncomingMessage } from 'node:http'
import { Secret } from '@waybill/service-kit'
import { oauthProblem } from './oauth-problem.ts'

export interface PresentedClient {
  name: string
  secret: Secret
}

/**
 * The client's name and secret, from the Authorization header (client_secret_basic) or from the form
 * (client_secret_post); one of them, never both (RFC 6749 section 2.3). Undefined when neither has a secret, `unreadable`
 * for a header of another form.
 * @throws Problem with `invalid_request`
 */
export function presentedClient(
  req: IncomingMessage,
  form: ReadonlyMap<string, string>,
): PresentedClient | 'unreadable' | undefined {
  const headers = req.headersDistinct.authorization ?? []
  const posted = form.get('client_secret')
  if (headers.length > 1 || (headers.length === 1 && posted !== undefined)) {
    throw oauthProblem('invalid_request', 'The client authenticates in more than one way.')
  }
  const name = form.get('client_id')
  if (posted !== undefined && name !== undefined) return { name, secret: new Secret(posted) }
  if (headers[0] === undefined) return undefined
  const client = basicCredentials(headers[0])
  if (!client) return 'unreadable'
  if (name !== undefined && name !== client.name) {
    throw oauthProblem('invalid_request', 'client_id is not the client that authenticates.')
  }
  return client
}

/**
 * RFC 6749 section 2.3.1: name and secret are percent-encoded before they are joined. A `+` stays one, since no name
 * and no secret of ours has a space in it, and base64 secrets come with `+` from clients that do not encode.
 */
function basicCredentials(authorization: string): PresentedClient | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/_-]+=*)$/i.exec(authorization)?.[1] ?? ''
  const [, name, secret] = /^([^:]+):(.+)$/.exec(Buffer.from(encoded, 'base64').toString()) ?? []
  if (name === undefined || secret === undefined) return undefined
  try {
    return { name: decodeURIComponent(name), secret: new Secret(decodeURIComponent(secret)) }
  } catch {
    return undefined
  }
}
