import type { IncomingMessage } from 'node:http'
import type { PeerIdentity } from '@waybill/auth'
import type { Authenticate, Route } from '@waybill/service-kit'
import type { NoteRefusedClient } from '../clients/client-refusals.ts'
import type { Config } from '../config.ts'
import type { Issuing } from '../tokens/issuing.ts'
import { adminClientRoutes } from './admin-clients.ts'
import { adminKeyRoutes } from './admin-keys.ts'
import { createClientAuthentication } from './client-authentication.ts'
import { introspectRoutes } from './introspect.ts'
import { keyRoutes } from './keys.ts'
import { metadataRoutes } from './metadata.ts'
import { revocationRoutes } from './revocations.ts'
import { revokeRoutes } from './revoke.ts'
import { tokenRoutes } from './token.ts'
import { verifyRoutes } from './verify.ts'

export interface IssuingRooms {
  issuing: Issuing
  config: Config
  /** For the sub-requests of a gateway, whose clients are strangers. */
  authenticate: Authenticate
  /** Who is at the other end of the connection by its certificate. @throws Problem invalid_token */
  peerOf: (req: IncomingMessage) => PeerIdentity | undefined
  noteRefused: NoteRefusedClient
}

/** Everything about tokens: getting them, asking what they are worth, taking them back. */
export function issuingRoutes({ issuing, config, authenticate, peerOf, noteRefused }: IssuingRooms): Route[] {
  const { keyring, grants, introspect, revokeToken, revocations, clients, registry } = issuing
  const authenticateClient = createClientAuthentication({ clients, peerOf, noteRefused })
  const maxAgeSeconds = config.JWKS_MAX_AGE_SECONDS
  return [
    ...tokenRoutes({ authenticateClient, grants }),
    ...introspectRoutes({ authenticateClient, introspect }),
    ...revokeRoutes({ authenticateClient, revokeToken }),
    ...revocationRoutes({
      ...{ authenticateClient, revocations },
      maxFollowers: config.REVOCATION_FOLLOWERS_PER_SERVICE,
    }),
    ...keyRoutes({ keyring, maxAgeSeconds }),
    ...metadataRoutes({ issuer: config.AUTH_ISSUER, publicUrl: publicUrlOf(config), maxAgeSeconds }),
    ...verifyRoutes({ authenticate }),
    ...adminKeyRoutes({ keyring }),
    ...adminClientRoutes({ registry }),
  ]
}

function publicUrlOf(config: Config): string {
  if (config.AUTH_SERVICE_PUBLIC_URL !== '') return config.AUTH_SERVICE_PUBLIC_URL
  const isTls = config.TLS_CERT_FILE !== '' && config.TLS_LISTEN
  return `${isTls ? 'https' : 'http'}://127.0.0.1:${config.PORT}`
}
