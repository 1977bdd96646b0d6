import { signAccessToken } from '@waybill/auth'
import type { KeySource, SigningKey, TokenGrant } from '@waybill/auth'
import { FatalStartError, Problem, unavailable } from '@waybill/service-kit'
import type { Logger } from '@waybill/service-kit'
import type { KeyRotation } from './key-rotation.ts'
import { repeat } from '../time/repeat.ts'
import { openSealedKey } from './signing-key.ts'
import type { KeyPair, PublishedJwk } from './signing-key.ts'
import type { SealedKey } from '../store/keys.ts'

export interface IssuedToken {
  token: string
  /** In seconds. */
  expiresIn: number
}

/** What sets the `iat` of a token, in seconds since the epoch. */
export interface IssueTimes {
  /** Before anything was looked up that the token says; now when absent. */
  decidedAt?: number
  /** When the tokens of the user before this one ceased to be believed: an earlier `iat` would be one of theirs. */
  earliestIssue?: number
}

/** What an administrator may know of a key. */
export type KeyFacts = Pick<SealedKey, 'kid' | 'alg' | 'state' | 'createdAt' | 'changedAt'>

/** The issuer's signing keys: they sign what it issues and, as a KeySource, verify it without any HTTP. */
export interface Keyring extends KeySource {
  /**
   * Reads the keys, after making those that are missing, and goes on reading them until `signal` aborts.
   * @throws FatalStartError when SIGNING_KEY_ENCRYPTION_KEY does not open them
   */
  start(signal: AbortSignal): Promise<void>
  /** Signs with the current key. @throws Problem unavailable before the keys are loaded */
  sign(grant: TokenGrant, times?: IssueTimes): Promise<IssuedToken>
  /** The public halves, for others to verify with. */
  published(): PublishedJwk[]
  /** Reads the keys anew: another instance has changed them. */
  reload(): Promise<void>
  /** Every key with its state. */
  list(): Promise<KeyFacts[]>
  /** Makes the next key the current one. @throws Problem conflict */
  rotate(): Promise<void>
  /** Takes a key back. @throws Problem not_found, conflict */
  revoke(kid: string): Promise<void>
  close(): Promise<void>
}

export interface KeyringOptions {
  rotation: KeyRotation
  /** What the keys in the database are sealed with. */
  encryptionKey: Buffer
  log: Logger
  /** How often the keys are read, in milliseconds. */
  reloadMs: number
  /** Milliseconds since the epoch. */
  now: () => number
}

/** However many tokens name a key that nobody has, the table is read once in this time for them. In milliseconds. */
const COOLDOWN_MS = 1_000

export function createKeyring({ rotation, encryptionKey, log, reloadMs, now }: KeyringOptions): Keyring {
  let keys = new Map<string, KeyPair>()
  let current: KeyPair | undefined
  let loading: Promise<void> | undefined
  let missedAt = Number.NEGATIVE_INFINITY
  let reloading: Promise<void> | undefined

  const load = async (): Promise<void> => {
    const stored = (await rotation.maintain()).filter(({ state }) => state !== 'revoked')
    const pairs = stored.map((key) => keys.get(key.kid) ?? open(encryptionKey, key))
    keys = new Map(pairs.map((pair) => [pair.published.kid, pair]))
    current = pairs.find((_, at) => stored[at]?.state === 'current')
  }
  const reload = (): Promise<void> => (loading ??= load().finally(() => (loading = undefined)))
  /** What was being read when something changed is not what is there now. */
  const reloadAfterChange = async (): Promise<void> => {
    await loading?.catch(() => undefined)
    await reload()
  }

  return {
    async start(signal) {
      await reload()
      reloading = repeat({ work: reload, everyMs: reloadMs, signal, log, what: 'the signing keys' })
    },
    async sign(grant, times) {
      if (!current) throw unavailable('The signing key')
      return signAt(current.signing, grant, { decidedAt: now() / 1000, ...times })
    },
    published: () => [...keys.values()].map(({ published }) => published),
    async find(kid) {
      if (!keys.has(kid) && (loading || now() - missedAt >= COOLDOWN_MS)) {
        missedAt = now()
        await reload().catch((error: unknown) => {
          log.warn({ err: error }, 'the signing keys cannot be read')
        })
      }
      return keys.get(kid)?.verification
    },
    holds: (kid) => keys.has(kid),
    reload: reloadAfterChange,
    list: () => rotation.list(),
    async rotate() {
      await rotation.rotate()
      await reloadAfterChange()
    },
    async revoke(kid) {
      await rotation.revoke(kid)
      await reloadAfterChange()
    },
    async close() {
      await reloading
    },
  }
}

/** The keyring of an issuer that shares one secret with every service (HS256): nothing to publish, nothing to rotate. */
export function createSharedKeyring(key: KeySource & { signing: SigningKey }, now: () => number): Keyring {
  const refuse = (): Promise<never> => {
    const why = 'Tokens are signed with JWT_SECRET (HS256): change that on every service instead.'
    return Promise.reject(new Problem('conflict', why))
  }
  return {
    ...{ rotate: refuse, revoke: refuse },
    find: (kid) => key.find(kid),
    holds: (kid) => key.holds?.(kid) ?? true,
    start: () => Promise.resolve(),
    reload: () => Promise.resolve(),
    sign: (grant, times) => signAt(key.signing, grant, { decidedAt: now() / 1000, ...times }),
    published: () => [],
    list: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  }
}

function signAt(
  key: SigningKey,
  grant: TokenGrant,
  { decidedAt, earliestIssue = 0 }: IssueTimes & { decidedAt: number },
): Promise<IssuedToken> {
  const decided = Math.floor(decidedAt)
  const issuedAt = Math.max(decided, earliestIssue)
  // The end stays where it is.
  const lifetimeSeconds = Math.max(1, grant.lifetimeSeconds - (issuedAt - decided))
  return signAccessToken(key, { ...grant, lifetimeSeconds }, issuedAt)
}

function open(encryptionKey: Buffer, sealed: SealedKey): KeyPair {
  try {
    return openSealedKey(encryptionKey, sealed)
  } catch (error) {
    throw new FatalStartError(
      `SIGNING_KEY_ENCRYPTION_KEY does not open the signing key ${sealed.kid} in the database: it was encrypted with another one, or has been changed.`,
      { cause: error },
    )
  }
}
