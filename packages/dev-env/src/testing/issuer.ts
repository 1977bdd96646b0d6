import { signAccessToken } from '@waybill/auth'
import type { ActorClaim, KeySource } from '@waybill/auth'
import { generateKeyPair } from 'jose'

export interface TokenOptions {
  /** `aud`; the platform's own audience unless said. */
  audience?: string
  scope?: string
  role?: string
  /** The acting services, nearest first. */
  actors?: readonly string[]
  workspaceId?: string
  tenantId?: string
  lifetimeSeconds?: number
  issuedAt?: number
  issuer?: string
}

/** An issuer for tests: its keys for a service's verifier, and tokens of every kind that they verify. */
export interface TestIssuer {
  keys: KeySource
  userToken(userId: string, options?: TokenOptions): Promise<string>
  serviceToken(service: string, options?: TokenOptions): Promise<string>
}

const USER_SCOPE =
  'tasks.create tasks.read tasks.update tasks.delete memory.read memory.write agents.query stats.read'

export async function createTestIssuer(): Promise<TestIssuer> {
  const alg = 'ES256'
  const kid = 'test-key'
  const { privateKey, publicKey } = await generateKeyPair(alg)
  const sign = async (principal: 'user' | 'service', sub: string, options: TokenOptions): Promise<string> => {
    const { audience = 'waybill', actors = [], lifetimeSeconds = 300, issuedAt } = options
    const act = actors.reduceRight<ActorClaim | undefined>(
      (inner, actor) => ({ sub: actor, ...(inner && { act: inner }) }),
      undefined,
    )
    const grant = {
      claims: {
        iss: options.issuer ?? 'https://waybill.local',
        aud: audience,
        sub,
        client_id: actors[0] ?? (principal === 'service' ? sub : 'waybill'),
        principal,
        scope: options.scope ?? (principal === 'user' ? USER_SCOPE : ''),
        ...(principal === 'user' && { role: options.role ?? 'user', sid: `session-of-${sub}` }),
        ...(options.workspaceId !== undefined && { workspace_id: options.workspaceId }),
        ...(options.tenantId !== undefined && { tenant_id: options.tenantId }),
        ...(act && { act }),
      },
      lifetimeSeconds,
    }
    const { token } = await signAccessToken({ kid, alg, privateKey }, grant, issuedAt)
    return token
  }
  return {
    keys: { find: (id) => Promise.resolve(id === kid ? { kid, alg, key: publicKey } : undefined) },
    userToken: (userId, options = {}) => sign('user', userId, options),
    serviceToken: (service, options = {}) => sign('service', service, options),
  }
}
