import type { authService } from '@waybill/contracts'
import type { Logger } from '@waybill/service-kit'
import type { AccessTokenClaims } from '../token/claims.ts'

type Revocation = authService.Revocation

interface Entry {
  /** For a user: tokens issued before are refused. Seconds since the epoch. */
  notBefore: number
  /** Seconds since the epoch. */
  expiresAt: number
}

const MINUTE_SECONDS = 60

/** The revocations that are in force, by what they speak of. */
export interface RevokedSet {
  readonly size: number
  add(revocation: Revocation, nowSeconds: number): void
  /** Whether anything that the token has, or the key that signed it, is revoked. */
  covers(claims: AccessTokenClaims, kid: string): boolean
}

export interface RevokedSetOptions {
  capacity: number
  graceSeconds: number
  log?: Logger | undefined
}

/**
 * At most `capacity` revocations. One is forgotten once no token that it speaks of can live any more; `graceSeconds` are
 * waited beyond that, since clocks differ. When there is no room, the one that would be forgotten first goes.
 */
export function createRevokedSet({ capacity, graceSeconds, log }: RevokedSetOptions): RevokedSet {
  const sets: Record<Exclude<Revocation['kind'], 'api_key_changed'>, Map<string, Entry>> = {
    session: new Map(),
    token: new Map(),
    api_key: new Map(),
    user: new Map(),
    signing_key: new Map(),
  }
  const size = (): number => Object.values(sets).reduce((sum, set) => sum + set.size, 0)
  let prunedAt = 0

  const prune = (nowSeconds: number): void => {
    prunedAt = nowSeconds
    for (const set of Object.values(sets)) {
      for (const [id, { expiresAt }] of set) if (expiresAt + graceSeconds <= nowSeconds) set.delete(id)
    }
  }
  const makeRoom = (nowSeconds: number): void => {
    prune(nowSeconds)
    if (size() < capacity) return
    const all = Object.values(sets).flatMap((set) => [...set].map(([id, entry]) => ({ set, id, entry })))
    all.sort((left, right) => left.entry.expiresAt - right.entry.expiresAt)
    // A tenth at once, so that the sorting is not done for each one that comes.
    const forgotten = all.slice(0, Math.ceil(capacity / 10))
    for (const { set, id } of forgotten) set.delete(id)
    // What was revoked is believed again from here: nobody may find that out by accident.
    log?.warn({ forgotten: forgotten.length }, 'more is revoked than REVOCATION_LIST_SIZE lets be kept')
  }

  return {
    get size() {
      return size()
    },
    add({ kind, id, not_before: notBefore = 0, expires_at: expiresAt }, nowSeconds) {
      // That is for whoever remembers API keys: no token is worth less by it.
      if (kind === 'api_key_changed') return
      if (nowSeconds - prunedAt >= MINUTE_SECONDS) prune(nowSeconds)
      if (expiresAt + graceSeconds <= nowSeconds) return
      const set = sets[kind]
      const known = set.get(id)
      if (!known && size() >= capacity) makeRoom(nowSeconds)
      set.set(id, {
        notBefore: Math.max(notBefore, known?.notBefore ?? 0),
        expiresAt: Math.max(expiresAt, known?.expiresAt ?? 0),
      })
    },
    covers({ principal, sub, iat, jti, origin_jti: origin, sid, key_id: keyId }, kid) {
      if (sets.signing_key.has(kid)) return true
      if (sets.token.has(jti)) return true
      if (origin !== undefined && sets.token.has(origin)) return true
      if (sid !== undefined && sets.session.has(sid)) return true
      if (keyId !== undefined && sets.api_key.has(keyId)) return true
      return principal === 'user' && iat < (sets.user.get(sub)?.notBefore ?? 0)
    },
  }
}
