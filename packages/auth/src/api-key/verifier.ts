import { hash } from 'node:crypto'
import { Secret, unavailable } from '@waybill/service-kit'
import type { authService } from '@waybill/contracts'
import { BoundedMap } from '../bounded-map.ts'
import { asCaller } from '../caller.ts'
import type { Caller } from '../caller.ts'
import { invalidToken } from '../token/invalid-token.ts'
import { isApiKey } from './format.ts'

export interface ApiKeyVerifierOptions {
  issuer: string
  /** Asks the issuer what a key stands for. @throws Problem unavailable */
  introspect(apiKey: Secret): Promise<authService.Introspection>
  /** For how long a good key is believed without asking again, in milliseconds. */
  ttlMs: number
  cacheSize: number
  /** Throws while revocations cannot be known, where that matters. */
  revocations?: { assertHeard(): void }
  now?: () => number
}

export interface ApiKeyVerifier {
  /** The user whose key it is. @throws Problem invalid_token (401), or unavailable (503) when the issuer cannot be asked */
  verify(apiKey: string): Promise<Caller>
  /** Asks again about what a revocation may have changed. */
  forget(revocation: Pick<authService.Revocation, 'kind' | 'id'>): void
}

interface Known {
  caller: Caller
  keyId: string
  userId: string
  until: number
}

type Active = Extract<authService.Introspection, { active: true }>

/** A refusal is remembered for a short while only: the key may just have been made. In milliseconds. */
const REFUSED_TTL_MS = 5_000
/** How many questions may wait for the issuer: a flood of invented keys must not take all its time. */
const MAX_PENDING = 64

const refusal = () => invalidToken('The API key is not valid.')

/**
 * API keys, each asked about at the issuer once in a while. Refused ones are remembered apart, so that a flood of them
 * cannot push out good ones.
 */
export function createApiKeyVerifier(options: ApiKeyVerifierOptions): ApiKeyVerifier {
  const { ttlMs, cacheSize, revocations, now = Date.now } = options
  const known = new BoundedMap<Known>(cacheSize)
  const refused = new BoundedMap<number>(cacheSize)
  const pending = new Map<string, Promise<Caller>>()
  /** An answer from before a revocation must not be kept after it. */
  let revocationsSeen = 0

  const ask = async (digest: string, secret: Secret): Promise<Caller> => {
    const seenBefore = revocationsSeen
    const found = readKey(await options.introspect(secret), options.issuer)
    const nowMs = now()
    if (!found || found.exp * 1000 <= nowMs) {
      refused.set(digest, nowMs + REFUSED_TTL_MS)
      throw refusal()
    }
    const caller = asCaller(userOf(found), { type: 'api-key', secret })
    if (seenBefore === revocationsSeen) {
      const until = Math.min(nowMs + ttlMs, found.exp * 1000)
      known.set(digest, { caller, keyId: found.key_id, userId: found.sub, until })
    }
    return caller
  }

  return {
    async verify(apiKey) {
      if (!isApiKey(apiKey)) throw refusal()
      revocations?.assertHeard()
      const digest = hash('sha256', apiKey, 'base64url')
      const hit = known.get(digest)
      if (hit && hit.until > now()) return hit.caller
      known.delete(digest)
      if ((refused.get(digest) ?? 0) > now()) throw refusal()
      // Who comes after a revocation must not be answered with what was asked before it.
      const question = `${revocationsSeen} ${digest}`
      let asked = pending.get(question)
      if (!asked) {
        if (pending.size >= MAX_PENDING) throw unavailable('The issuer of API keys')
        asked = ask(digest, new Secret(apiKey)).finally(() => pending.delete(question))
        pending.set(question, asked)
      }
      return asked
    },
    forget({ kind, id }) {
      if (kind === 'api_key' || kind === 'api_key_changed') known.deleteWhere(({ keyId }) => keyId === id)
      else if (kind === 'user') known.deleteWhere(({ userId }) => userId === id)
      else return
      revocationsSeen += 1
    },
  }
}

function readKey(
  answer: authService.Introspection,
  issuer: string,
): (Active & { key_id: string }) | undefined {
  if (!answer.active || answer.token_type !== 'api_key' || answer.principal !== 'user') return undefined
  const { key_id } = answer
  return answer.iss === issuer && key_id !== undefined ? { ...answer, key_id } : undefined
}

function userOf(key: Active & { key_id: string }) {
  return {
    kind: 'user' as const,
    userId: key.sub,
    role: key.role ?? 'user',
    permissions: key.scope.split(' ').filter(Boolean),
    actors: [],
    apiKeyId: key.key_id,
    ...(key.email !== undefined && { email: key.email }),
    ...(key.tier !== undefined && { tier: key.tier }),
    ...(key.tenant_id !== undefined && { tenantId: key.tenant_id }),
    via: 'api-key' as const,
  }
}
