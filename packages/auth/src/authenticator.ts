import type { IncomingMessage } from 'node:http'
import type { Authenticate } from '@waybill/service-kit'
import type { CredentialVerifier } from './credentials.ts'
import type { PeerIdentity } from './mtls/peers.ts'
import { presentedIn } from './presented.ts'

/** Who the client certificate of a request's connection proved the caller to be, judged anew for each request. */
export type PeerOf = (req: IncomingMessage) => PeerIdentity | undefined

/** Turns the credential of an HTTP request into a Principal. */
export function createAuthenticator(credentials: CredentialVerifier, peerOf?: PeerOf): Authenticate {
  return (req) => {
    const presented = presentedIn(req.rawHeaders, peerOf?.(req))
    return credentials.recall(presented) ?? credentials.verify(presented)
  }
}
