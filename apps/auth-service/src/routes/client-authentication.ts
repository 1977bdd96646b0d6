import type { IncomingMessage } from 'node:http'
import { Problem, requestContext } from '@waybill/service-kit'
import { setServerIdentity } from '@waybill/telemetry'
import type { PeerIdentity } from '@waybill/auth'
import type { Client } from '../grants.ts'
import type { ServiceClients } from '../service-clients.ts'
import { presentedClient } from './client-credentials.ts'
import { oauthProblem } from './oauth-problem.ts'

/** Who is at the other end of the connection by its certificate. @throws Problem invalid_token */
type PeerOf = (req: IncomingMessage) => PeerIdentity | undefined

/**
 * The service that sends an OAuth request: by its secret (client_secret_basic, client_secret_post) or by its certificate
 * (tls_client_auth, RFC 8705 section 2.1), to which its tokens are then bound.
 * @throws Problem with `invalid_client` or `invalid_request`
 */
export type AuthenticateClient = (req: IncomingMessage, form?: ReadonlyMap<string, string>) => Promise<Client>

/** How the routes that use it are described. */
export const CLIENT_SCHEMES = ['basic', 'mutualTLS'] as const

export function createClientAuthentication(clients: ServiceClients, peerOf: PeerOf): AuthenticateClient {
  const prove = async (req: IncomingMessage, form: ReadonlyMap<string, string>): Promise<Client> => {
    const presented = presentedClient(req, form)
    const peer = peerOf(req)
    if (presented) {
      const { name, secret } = presented
      // Whose certificate it is may not be somebody else than whose secret it is.
      const isGenuine = (await clients.isGenuine(name, secret)) && (!peer || peer.service === name)
      if (!isGenuine) throw new Problem('invalid_token', 'The client or its secret is not known.')
      return { name }
    }
    if (!peer) throw new Problem('invalid_token', 'The client does not authenticate.')
    const { service: name, thumbprint } = peer
    const claimed = form.get('client_id') ?? name
    if (claimed !== name || !(await clients.isKnown(name))) {
      throw new Problem('invalid_token', 'The client or its certificate is not known.')
    }
    return { name, thumbprint }
  }

  return async (req, form = new Map()) => {
    const client = await prove(req, form).catch((error: unknown) => {
      if (!(error instanceof Problem) || error.code !== 'invalid_token') throw error
      requestContext()?.log.warn({ audit: 'client_authentication_failed' }, 'refused')
      throw oauthProblem('invalid_client', error.message)
    })
    const via = client.thumbprint === undefined ? 'service-secret' : 'mtls'
    setServerIdentity({ subject: `service:${client.name}`, actors: [], via })
    return client
  }
}
