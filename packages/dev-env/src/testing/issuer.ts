import { generateKeyPairSync } from 'node:crypto'
import { signAccessToken } from '@waybill/auth'
import type { ActorClaim, Issuer, KeySource } from '@waybill/auth'
import { createTestApiKeys } from './api-keys.ts'
import type { TestKeyOptions } from './api-keys.ts'
import { createTestRevocations } from './revocations.ts'
import type { TestRevocation } from './revocations.ts'

export interface TokenOptions {
  /** `aud`; the platform's own audience unless said. */
  audience?: string
  scope?: string
  role?: string
  tier?: string
  /** The acting services, nearest first. */
  actors?: readonly string[]
  workspaceId?: string
  tenantId?: string
  /** The user came with this API key, and has no session. */
  apiKeyId?: string
  /** The certificate that the token is bound to, as `cnf.x5t#S256`. */
  thumbprint?: string
  lifetimeSeconds?: number
  issuedAt?: number
  issuer?: string
}

/** An issuer for tests: its keys for a service's verifier, and credentials of every kind that it vouches for. */
export interface TestIssuer {
  keys: KeySource
  /** For `createServiceAuth`: answers as auth-service would, from memory. */
  issuer: Issuer
  userToken(userId: string, options?: TokenOptions): Promise<string>
  serviceToken(service: string, options?: TokenOptions): Promise<string>
  /** A new API key of the user. */
  apiKey(userId: string, options?: TestKeyOptions): string
  /** Tells whoever follows the feed. For the session of `userToken`, the id is `session-of-<user>`. */
  revoke(revocation: TestRevocation): void
}

const ISSUER = 'https://waybill.local'
const USER_SCOPE =
  'tasks.create tasks.read tasks.update tasks.delete memory.read memory.write agents.query stats.read'

export function createTestIssuer(): Promise<TestIssuer> {
  const alg = 'ES256'
  const kid = 'test-key'
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }
  const apiKeys = createTestApiKeys(ISSUER, USER_SCOPE)
  const revocations = createTestRevocations()

  const sign = async (principal: 'user' | 'service', sub: string, options: TokenOptions): Promise<string> => {
    const grant = {
      claims: claimsOf(principal, sub, options),
      lifetimeSeconds: options.lifetimeSeconds ?? 300,
    }
    const { token } = await signAccessToken({ kid, alg, privateKey }, grant, options.issuedAt)
    return token
  }
  return Promise.resolve({
    keys: { find: (id) => Promise.resolve(id === kid ? { kid, alg, key: publicKey } : undefined) },
    issuer: {
      jwks: () => Promise.resolve({ keys: [jwk] }),
      revocations: (cursor, signal, wait) => revocations.after(cursor, signal, wait),
      introspect: (apiKey) => Promise.resolve(apiKeys.introspect(apiKey.reveal())),
    },
    userToken: (userId, options = {}) => sign('user', userId, options),
    serviceToken: (service, options = {}) => sign('service', service, options),
    apiKey: (userId, options = {}) => apiKeys.create(userId, options),
    revoke(revocation) {
      if (revocation.kind === 'api_key') apiKeys.revoke(revocation.id)
      revocations.add(revocation)
    },
  })
}

type Claims = Parameters<typeof signAccessToken>[1]['claims']

function claimsOf(principal: 'user' | 'service', sub: string, options: TokenOptions): Claims {
  const { actors = [], apiKeyId, thumbprint } = options
  const act = actors.reduceRight<ActorClaim | undefined>(
    (inner, actor) => ({ sub: actor, ...(inner && { act: inner }) }),
    undefined,
  )
  return {
    iss: options.issuer ?? ISSUER,
    aud: options.audience ?? 'waybill',
    sub,
    client_id: actors[0] ?? (principal === 'service' ? sub : 'waybill'),
    principal,
    scope: options.scope ?? (principal === 'user' ? USER_SCOPE : ''),
    ...(principal === 'user' && { role: options.role ?? 'user' }),
    ...(principal === 'user' &&
      (apiKeyId === undefined ? { sid: `session-of-${sub}` } : { key_id: apiKeyId })),
    ...(options.tier !== undefined && { tier: options.tier }),
    ...(options.workspaceId !== undefined && { workspace_id: options.workspaceId }),
    ...(options.tenantId !== undefined && { tenant_id: options.tenantId }),
    ...(act && { act }),
    ...(thumbprint !== undefined && { cnf: { 'x5t#S256': thumbprint } }),
  }
}
