import type { IncomingMessage } from 'node:http'
import { Problem } from '@waybill/service-kit'
import { setServerIdentity } from '@waybill/telemetry'
import type { PeerIdentity } from '@waybill/auth'
import type { NoteRefusedClient } from '../clients/client-refusals.ts'
import type { Client } from '../tokens/grants.ts'
import type { ServiceClients } from '../clients/service-clients.ts'
import { presentedClient } from './client-credentials.ts'
import type { PresentedClient } from './client-credentials.ts'
import { oauthProblem } from './oauth-problem.ts'

/** Who is at the other end of the connection by its certificate. @throws Problem invalid_token */
type PeerOf = (req: IncomingMessage) => PeerIdentity | undefined

/**
 * The service that sends an OAuth request: by its secret (client_secret_basic, client_secret_post) or by its certificate
 * (tls_client_auth, RFC 8705 section 2.1), to which its tokens are then bound.
 * @throws Problem with `invalid_client` or `invalid_request`; rate_limited
 */
export type AuthenticateClient = (
  req: IncomingMessage & { ip?: string | undefined },
  form?: ReadonlyMap<string, string>,
) => Promise<Client>

/** How the routes that use it are described. */
export const CLIENT_SCHEMES = ['basic', 'mutualTLS'] as const

export interface ClientAuthenticationOptions {
  clients: ServiceClients
  peerOf: PeerOf
  noteRefused: NoteRefusedClient
}

export function createClientAuthentication(options: ClientAuthenticationOptions): AuthenticateClient {
  const { clients, peerOf, noteRefused } = options

  /** Whose certificate it is may not be somebody else than whose secret it is. */
  const isGenuine = async ({ name, secret }: PresentedClient, peer: PeerIdentity | undefined) =>
    (await clients.isGenuine(name, secret)) && (!peer || peer.service === name)
  const certified = (req: IncomingMessage): PeerIdentity | 'unacceptable' | undefined => {
    try {
      return peerOf(req)
    } catch (error) {
      if (error instanceof Problem && error.code === 'invalid_token') return 'unacceptable'
      throw error
    }
  }

  return async (req, form = new Map()) => {
    const refuse = async (why: string, name = form.get('client_id')): Promise<never> => {
      await noteRefused(name, req.ip ?? '')
      throw oauthProblem('invalid_client', why)
    }
    const prove = async (): Promise<Client> => {
      const presented = presentedClient(req, form)
      const peer = certified(req)
      if (peer === 'unacceptable') return refuse('The client certificate is not acceptable.')
      if (presented === 'unreadable') return refuse('The client does not authenticate.')
      if (presented) {
        if (await isGenuine(presented, peer)) return { name: presented.name }
        return refuse('The client or its secret is not known.', presented.name)
      }
      if (!peer) return refuse('The client does not authenticate.')
      const { service: name, thumbprint } = peer
      const claimed = form.get('client_id') ?? name
      if (claimed === name && (await clients.isKnown(name))) return { name, thumbprint }
      return refuse('The client or its certificate is not known.', claimed)
    }
    const client = await prove()
    const via = client.thumbprint === undefined ? 'service-secret' : 'mtls'
    setServerIdentity({ subject: `service:${client.name}`, actors: [], via })
    return client
  }
}
