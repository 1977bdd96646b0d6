import type { Authentication, Logger, Tls } from '@waybill/service-kit'
import { createApiKeyVerifier } from './api-key/verifier.ts'
import type { ApiKeyVerifier } from './api-key/verifier.ts'
import { sharedKeyOf } from './auth-env.ts'
import type { AuthConfig } from './auth-env.ts'
import { createAuthenticator } from './authenticator.ts'
import { createCredentialVerifier } from './credentials.ts'
import type { CredentialVerifier } from './credentials.ts'
import type { Issuer } from './issuer.ts'
import { createJwks } from './keys/jwks.ts'
import type { KeySource } from './keys/verification-key.ts'
import { createPeers } from './mtls/peers.ts'
import type { Peers } from './mtls/peers.ts'
import { createRevocationList } from './revocation/list.ts'
import type { RevocationList } from './revocation/list.ts'
import type { SdkCredentials } from './sdk-credentials.ts'
import type { ServiceSecrets } from './service-secret/secrets.ts'
import { createVerifier } from './token/verifier.ts'
import type { Verifier } from './token/verifier.ts'

export interface ServiceAuthOptions {
  config: AuthConfig
  /** Asked for keys, revocations and what API keys stand for. */
  issuer: Issuer
  /** The `aud` values that are accepted, any one of them. */
  audiences: readonly string[]
  edge?: boolean
  /** On which paths a credential is taken from where vendors' SDKs put theirs; on none unless said. */
  sdkCredentials?: SdkCredentials | undefined
  /** Keys from elsewhere than the issuer: the issuer's own, or a test's. */
  keys?: KeySource | undefined
  /** What openTls gave: client certificates are judged by it. */
  tls?: Pick<Tls, 'current' | 'trustDomain'> | undefined
  /** The static secrets that services may come with, where routes take any. */
  serviceSecrets?: ServiceSecrets | undefined
  log?: Logger | undefined
  /** Milliseconds since the epoch. */
  now?: () => number
}

export interface ServiceAuth extends Required<Authentication> {
  verifier: Verifier
  credentials: CredentialVerifier
  revocations: RevocationList
  /** Who is at the other end of a connection, by its client certificate. */
  peers: Peers
}

/** How a service tells who its callers are, from its configuration. */
export function createServiceAuth(options: ServiceAuthOptions): ServiceAuth {
  const { config, issuer, audiences, edge = false, log, now = Date.now } = options
  const keys = options.keys ?? sharedKeyOf(config) ?? jwksOf(issuer, config, now)
  const revocations = createRevocationList({
    feed: (cursor, signal, wait) => issuer.revocations(cursor, signal, wait),
    maxStaleMs: config.REVOCATION_MAX_STALE_SECONDS * 1000,
    capacity: config.REVOCATION_LIST_SIZE,
    graceSeconds: config.CLOCK_SKEW_SECONDS,
    onRevoked: (revocation) => {
      apiKeys.forget(revocation)
    },
    ...{ log, now },
  })
  const apiKeys: ApiKeyVerifier = createApiKeyVerifier({
    issuer: config.AUTH_ISSUER,
    introspect: (apiKey) => issuer.introspect(apiKey),
    ttlMs: config.API_KEY_CACHE_SECONDS * 1000,
    cacheSize: config.API_KEY_CACHE_SIZE,
    ...{ revocations, now },
  })
  const verifier = createVerifier({
    issuer: config.AUTH_ISSUER,
    skewSeconds: config.CLOCK_SKEW_SECONDS,
    maxLifetimeSeconds: config.MAX_TOKEN_LIFETIME_SECONDS,
    cacheSize: config.TOKEN_CACHE_SIZE,
    ...{ keys, audiences, revocations, now },
  })
  const { serviceSecrets } = options
  const credentials = createCredentialVerifier({ verifier, apiKeys, serviceSecrets, edge })
  const peers = createPeers({ tls: options.tls, now })
  const stopping = new AbortController()
  let following: ReturnType<RevocationList['follow']> | undefined

  return {
    ...{ verifier, credentials, revocations, peers },
    authenticate: createAuthenticator(credentials, {
      peerOf: ({ socket }) => peers.peerOf(socket),
      sdkCredentials: options.sdkCredentials,
    }),
    peerRefusal: (socket) => peers.peerRefusal(socket),
    async start() {
      if (config.JWT_ALGORITHM === 'HS256')
        log?.warn('JWT_ALGORITHM is HS256: whoever verifies tokens can make them')
      // Until close(), and so through the last requests of a service that is going down.
      following ??= revocations.follow(stopping.signal)
      await following.tried
      return Promise.resolve()
    },
    async ready() {
      revocations.assertHeard()
      return Promise.resolve()
    },
    async close() {
      stopping.abort()
      await following?.ended
    },
  }
}

function jwksOf(issuer: Issuer, config: AuthConfig, now: () => number): KeySource {
  return createJwks(() => issuer.jwks(), {
    maxAgeMs: config.JWKS_REFRESH_SECONDS * 1000,
    cooldownMs: Math.min(config.JWKS_COOLDOWN_SECONDS, config.JWKS_REFRESH_SECONDS) * 1000,
    maxStaleMs: config.JWKS_MAX_STALE_SECONDS * 1000,
    now,
  })
}
