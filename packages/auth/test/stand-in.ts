import type { authService } from '@waybill/contracts'
import { generateApiKey } from '../src/index.ts'
import type { Issuer } from '../src/index.ts'
import { CLAIMS, forge, publicJwk } from './forge.ts'

const ISSUER = 'https://waybill.local'

type Introspection = Extract<authService.Introspection, { active: true }>

/** An issuer in memory, for a service's own clock: its keys, its feed of revocations, and the API keys it knows. */
export class StandInIssuer implements Issuer {
  readonly #revocations: authService.Revocation[] = []
  readonly #apiKeys = new Map<string, Introspection>()
  #news = Promise.withResolvers<undefined>()

  userToken(sub: string, more: object = {}): string {
    const now = Math.floor(Date.now() / 1000)
    const times = { iat: now, nbf: now, exp: now + 300 }
    return forge({ ...CLAIMS, ...times, iss: ISSUER, aud: 'waybill', sub, ...more })
  }

  apiKey(sub: string, keyId: string): string {
    const apiKey = generateApiKey()
    const iat = Math.floor(Date.now() / 1000)
    this.#apiKeys.set(apiKey, {
      ...{ active: true, token_type: 'api_key', iss: ISSUER, sub, principal: 'user', client_id: keyId },
      ...{ key_id: keyId, scope: 'tasks.read', tier: 'free', iat, exp: iat + 60 },
    })
    return apiKey
  }

  revoke(revocation: Omit<authService.Revocation, 'expires_at'>): void {
    for (const [apiKey, { key_id }] of this.#apiKeys)
      if (key_id === revocation.id) this.#apiKeys.delete(apiKey)
    this.#revocations.push({ expires_at: Math.floor(Date.now() / 1000) + 3_600, ...revocation })
    this.#news.resolve(undefined)
    this.#news = Promise.withResolvers()
  }

  jwks = async (): Promise<unknown> => ({ keys: [await publicJwk()] })

  introspect: Issuer['introspect'] = (apiKey) =>
    Promise.resolve(this.#apiKeys.get(apiKey.reveal()) ?? { active: false })

  revocations: Issuer['revocations'] = async (cursor, signal, wait) => {
    const after = Number(cursor ?? 0)
    const gone = Promise.withResolvers<never>()
    const giveUp = (): void => {
      gone.reject(new Error('the follower has gone'))
    }
    signal.addEventListener('abort', giveUp, { once: true })
    if (wait && cursor !== undefined && after === this.#revocations.length)
      await Promise.race([this.#news.promise, gone.promise])
    signal.removeEventListener('abort', giveUp)
    return { cursor: String(this.#revocations.length), revocations: this.#revocations.slice(after) }
  }
}
