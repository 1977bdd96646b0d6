import type { IncomingMessage } from 'node:http'
import type { Authenticate } from '@waybill/service-kit'
import type { CredentialVerifier } from './credentials.ts'
import type { PeerIdentity } from './mtls/peers.ts'
import { presentedIn } from './presented.ts'
import { sdkPresented } from './sdk-credentials.ts'
import type { SdkCredentials } from './sdk-credentials.ts'

/** Who the client certificate of a request's connection proved the caller to be, judged anew for each request. */
export type PeerOf = (req: IncomingMessage) => PeerIdentity | undefined

export interface AuthenticatorOptions {
  peerOf?: PeerOf | undefined
  /** On which paths a credential is taken from where vendors' SDKs put theirs; on none unless said. */
  sdkCredentials?: SdkCredentials | undefined
}

/** Turns the credential of an HTTP request into a Principal. */
export function createAuthenticator(
  credentials: CredentialVerifier,
  { peerOf, sdkCredentials }: AuthenticatorOptions = {},
): Authenticate {
  return (req) => {
    const sent = presentedIn(req.rawHeaders, peerOf?.(req))
    const places = sdkCredentials?.(req.path)
    const presented = places === undefined ? sent : sdkPresented(sent, req, places)
    return credentials.recall(presented) ?? credentials.verify(presented)
  }
}
