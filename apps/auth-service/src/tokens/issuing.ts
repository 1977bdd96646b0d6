import { sharedKeyOf } from '@waybill/auth'
import type { Issuer } from '@waybill/auth'
import type { Database } from '@waybill/database'
import type { Logger } from '@waybill/service-kit'
import { userToken } from '../sessions/access-tokens.ts'
import { auditedGrants } from './audited-grants.ts'
import { createClientRegistry } from '../clients/client-registry.ts'
import type { ClientRegistry } from '../clients/client-registry.ts'
import type { Config } from '../config.ts'
import { createGrants } from './grants.ts'
import type { Grants } from './grants.ts'
import { createHeldSessions } from '../sessions/held-sessions.ts'
import { createIntrospection } from './introspection.ts'
import type { Introspect } from './introspection.ts'
import { createKeyRotation } from '../keys/key-rotation.ts'
import { createKeyring, createSharedKeyring } from '../keys/keyring.ts'
import type { IssuedToken, Keyring } from '../keys/keyring.ts'
import type { RefreshTokens } from '../sessions/refresh-token.ts'
import type { ResolveKey } from '../api-keys/resolved-key.ts'
import type { Revocations } from '../revocations/revocations.ts'
import { createServiceClients } from '../clients/service-clients.ts'
import type { ServiceClients } from '../clients/service-clients.ts'
import type { SessionRow } from '../store/sessions.ts'
import type { Schema } from '../store/schema.ts'
import { createSubjects } from './subjects.ts'
import { createTokenRevocation } from './token-revocation.ts'
import type { RevokeToken } from './token-revocation.ts'

const HOUR_SECONDS = 3600
/** For how long this service, asking itself, waits for revocations, in seconds. */
const FEED_WAIT_SECONDS = 20
/** Instances that have not yet read of a rotation go on signing with the key before. In seconds. */
const RELOAD_MARGIN_SECONDS = 60

export interface IssuingOptions {
  /** The name of this service. */
  name: string
  config: Config
  database: Database<Schema>
  refreshTokens: RefreshTokens
  revocations: Revocations
  resolveKey: ResolveKey
  log: Logger
  /** Milliseconds since the epoch. */
  now: () => number
}

/** The half of this service that makes tokens, says what they are worth, and takes them back. */
export interface Issuing {
  keyring: Keyring
  grants: Grants
  introspect: Introspect
  revokeToken: RevokeToken
  revocations: Revocations
  clients: ServiceClients
  registry: ClientRegistry
  /** What other services ask over HTTP, for this one's own verifier. */
  issuer: Issuer
  accessTokenFor: (session: Pick<SessionRow, 'id' | 'userId' | 'expiresAt'>) => Promise<IssuedToken>
}

export function createIssuing(options: IssuingOptions): Issuing {
  const { name, config, database, refreshTokens, revocations, resolveKey, now } = options
  const rules = {
    issuer: config.AUTH_ISSUER,
    platformAudience: config.PLATFORM_AUDIENCE,
    outsideAudiences: { supabase: config.SUPABASE_AUDIENCE },
    skewSeconds: config.CLOCK_SKEW_SECONDS,
    maxLifetimeSeconds: config.MAX_TOKEN_LIFETIME_SECONDS,
    onBehalfOfSeconds: config.ON_BEHALF_OF_SECONDS,
    serviceTokenSeconds: config.SERVICE_TOKEN_SECONDS,
    maxDepth: config.DELEGATION_MAX_DEPTH,
  }
  const { issuer } = rules
  const keyring = keyringOf(options)
  const subjects = createSubjects({ ...{ database, keys: keyring, revocations, resolveKey, rules, now } })
  const heldSessions = createHeldSessions({ database, refreshTokens, revocations })
  const introspect = createIntrospection({ subjects, heldSessions, issuer })
  const grants = auditedGrants(createGrants({ keyring, subjects, rules, now }), database)
  const forUsers = {
    ...{ keyring, revocations, issuer, now },
    audience: config.PLATFORM_AUDIENCE,
    lifetimeSeconds: Math.max(1, Math.round(config.JWT_EXPIRATION_HOURS * HOUR_SECONDS)),
  }

  return {
    ...{ keyring, grants, introspect, revocations },
    revokeToken: createTokenRevocation({ database, subjects, heldSessions, revocations }),
    clients: createServiceClients(config.SERVICE_CLIENTS, database),
    registry: createClientRegistry(config.SERVICE_CLIENTS, database),
    issuer: {
      jwks: () => Promise.resolve({ keys: keyring.published() }),
      async revocations(cursor, signal, mayWait) {
        const waitSeconds = mayWait && cursor !== undefined ? FEED_WAIT_SECONDS : 0
        const page = await revocations.after(cursor, waitSeconds, signal)
        // Another instance may have done it, and this one would go on signing with that key.
        if (page.revocations.some(({ kind }) => kind === 'signing_key')) await keyring.reload()
        return page
      },
      introspect: (apiKey) => introspect({ name }, apiKey),
    },
    accessTokenFor: (session) => userToken(session, forUsers),
  }
}

function keyringOf({ config, database, revocations, log, now }: IssuingOptions): Keyring {
  const shared = sharedKeyOf(config)
  if (shared) return createSharedKeyring(shared, now)
  const encryptionKey = Buffer.from(config.SIGNING_KEY_ENCRYPTION_KEY.reveal(), 'base64')
  const rotation = createKeyRotation({
    ...{ database, encryptionKey, revocations },
    rules: {
      rotationSeconds: config.SIGNING_KEY_ROTATION_HOURS * HOUR_SECONDS,
      publishSeconds: config.SIGNING_KEY_PUBLISH_SECONDS,
      retainSeconds: config.MAX_TOKEN_LIFETIME_SECONDS + config.CLOCK_SKEW_SECONDS + RELOAD_MARGIN_SECONDS,
    },
  })
  const reloadMs = config.SIGNING_KEY_RELOAD_SECONDS * 1000
  return createKeyring({ rotation, encryptionKey, log, reloadMs, now })
}
