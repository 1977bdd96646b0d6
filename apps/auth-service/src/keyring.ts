import { signAccessToken } from '@waybill/auth'
import type { KeySource, TokenGrant } from '@waybill/auth'
import type { Database } from '@waybill/database'
import { FatalStartError, unavailable } from '@waybill/service-kit'
import type { Secret } from '@waybill/service-kit'
import { generateSealedKey, openSealedKey } from './signing-key.ts'
import type { KeyPair, PublishedJwk } from './signing-key.ts'
import { insertFirstKey, listPublishedKeys } from './store/keys.ts'
import type { SealedKey } from './store/keys.ts'
import type { Schema } from './store/schema.ts'

export interface KeyringOptions {
  database: Database<Schema>
  /** 32 bytes in base64. */
  encryptionKey: Secret
  /** Milliseconds since the epoch. */
  now: () => number
}

export interface IssuedToken {
  token: string
  /** In seconds. */
  expiresIn: number
}

/** The issuer's signing keys: they sign what it issues and, as a KeySource, verify it without any HTTP. */
export interface Keyring extends KeySource {
  /**
   * Reads the keys, after making the first one where there is none.
   * @throws FatalStartError when SIGNING_KEY_ENCRYPTION_KEY does not open them
   */
  load(): Promise<void>
  /** Signs with the current key. @throws Problem unavailable before the keys are loaded */
  sign(grant: TokenGrant): Promise<IssuedToken>
  /** The public halves, for others to verify with. */
  published(): PublishedJwk[]
}

export function createKeyring({ database, encryptionKey, now }: KeyringOptions): Keyring {
  const secret = Buffer.from(encryptionKey.reveal(), 'base64')
  let keys = new Map<string, KeyPair>()
  let current: KeyPair | undefined

  const open = async (sealed: SealedKey): Promise<KeyPair> => {
    try {
      return await openSealedKey(secret, sealed)
    } catch (error) {
      throw new FatalStartError(
        `SIGNING_KEY_ENCRYPTION_KEY does not open the signing key ${sealed.kid} in the database: it was encrypted with another one, or has been changed.`,
        { cause: error },
      )
    }
  }

  return {
    async load() {
      const stored = await readOrCreate(database, secret)
      const pairs = await Promise.all(stored.map(open))
      keys = new Map(pairs.map((pair) => [pair.published.kid, pair]))
      current = pairs.find((_, at) => stored[at]?.state === 'current')
    },
    async sign(grant) {
      if (!current) throw unavailable('The signing key')
      return signAccessToken(current.signing, grant, Math.floor(now() / 1000))
    },
    published: () => [...keys.values()].map(({ published }) => published),
    find: (kid) => Promise.resolve(keys.get(kid)?.verification),
  }
}

async function readOrCreate(database: Database<Schema>, encryptionKey: Buffer): Promise<SealedKey[]> {
  return database.withoutPrincipal(async (tx) => {
    const stored = await listPublishedKeys(tx)
    if (stored.some(({ state }) => state === 'current')) return stored
    await insertFirstKey(tx, await generateSealedKey(encryptionKey))
    return listPublishedKeys(tx)
  })
}
