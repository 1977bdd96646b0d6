import { recordAudit } from '@waybill/database'
import type { Database, Transaction } from '@waybill/database'
import { Problem } from '@waybill/service-kit'
import type { Principal } from '@waybill/service-kit'
import { ITSELF } from '../people/principals.ts'
import type { Revocations } from '../revocations/revocations.ts'
import { generateSealedKey } from './signing-key.ts'
import { changeKey, destroyKey, insertKey, listKeys, lockKeys, removeKey } from '../store/keys.ts'
import type { SealedKey } from '../store/keys.ts'
import type { Schema } from '../store/schema.ts'

type Tx = Transaction<Schema>

export interface KeyRules {
  /** For how long a key signs. */
  rotationSeconds: number
  /** For how long at least a key is published before it signs, so that every verifier has fetched it. */
  publishSeconds: number
  /** For how long a key that signs no more is published: the longest life of a token. */
  retainSeconds: number
}

export interface KeyRotationOptions {
  database: Database<Schema>
  encryptionKey: Buffer
  revocations: Pick<Revocations, 'record'>
  rules: KeyRules
}

/**
 * The keys of the issuer over time. Each is published as `next`, signs as `current`, still verifies as `retired`, and then
 * goes; `revoked` ones go at once. Of several instances one does what is due, and the others find it done.
 */
export interface KeyRotation {
  /** The keys, after whatever is due. */
  maintain(): Promise<SealedKey[]>
  list(): Promise<SealedKey[]>
  /** The next key becomes the current one. @throws Problem conflict while it has not been published for long enough */
  rotate(): Promise<void>
  /** Nothing that the key has signed is believed any more. @throws Problem not_found, or conflict when it is revoked already */
  revoke(kid: string): Promise<void>
}

export function createKeyRotation(options: KeyRotationOptions): KeyRotation {
  const { database, encryptionKey, revocations, rules } = options
  const list = () => database.withoutPrincipal(listKeys, { readOnly: true })

  /** Where a key is missing it is made: there always is one that signs and one that comes after it. */
  const complete = async (tx: Tx, keys: readonly SealedKey[]): Promise<void> => {
    const next = inState(keys, 'next')
    const current = inState(keys, 'current')
    if (current && next) return
    if (!current && next) await changeKey(tx, next.kid, 'current')
    if (!current && !next) await insertKey(tx, await generateSealedKey(encryptionKey), 'current')
    await insertKey(tx, await generateSealedKey(encryptionKey), 'next')
  }

  const advance = async (
    tx: Tx,
    { current, next }: { current: SealedKey; next: SealedKey },
    principal?: Principal,
  ) => {
    await changeKey(tx, current.kid, 'retired')
    await changeKey(tx, next.kid, 'current')
    await insertKey(tx, await generateSealedKey(encryptionKey), 'next')
    await recordAudit(tx, {
      action: 'signing_key.rotate',
      resource: `signing_key/${next.kid}`,
      outcome: 'success',
      details: { retired: current.kid },
      ...(principal && { principal }),
    })
  }

  const isSpent = ({ state, ageSeconds }: SealedKey): boolean =>
    (state === 'retired' || state === 'revoked') && ageSeconds > rules.retainSeconds

  /** The two keys of a rotation whose time has come. */
  const due = (keys: readonly SealedKey[]): { current: SealedKey; next: SealedKey } | undefined => {
    const current = inState(keys, 'current')
    const next = inState(keys, 'next')
    if (!current || !next) return undefined
    const isDue = current.ageSeconds >= rules.rotationSeconds && next.ageSeconds >= rules.publishSeconds
    return isDue ? { current, next } : undefined
  }

  const isAnythingDue = (keys: readonly SealedKey[]): boolean =>
    !inState(keys, 'current') || !inState(keys, 'next') || keys.some(isSpent) || due(keys) !== undefined

  return {
    list,

    async maintain() {
      const seen = await list()
      if (!isAnythingDue(seen)) return seen
      return database.withoutPrincipal(async (tx) => {
        await lockKeys(tx)
        const keys = await listKeys(tx)
        for (const { kid } of keys.filter(isSpent)) await removeKey(tx, kid)
        await complete(tx, keys)
        const pair = due(keys)
        // Whoever's request it was that came upon it.
        if (pair) await advance(tx, pair, ITSELF)
        return listKeys(tx)
      })
    },

    rotate: () =>
      database.withoutPrincipal(async (tx) => {
        await lockKeys(tx)
        const keys = await listKeys(tx)
        const current = inState(keys, 'current')
        const next = inState(keys, 'next')
        const waitSeconds = next ? Math.ceil(rules.publishSeconds - next.ageSeconds) : rules.publishSeconds
        if (!current || !next || waitSeconds > 0) throw tooEarly(next, rules.publishSeconds, waitSeconds)
        await advance(tx, { current, next })
      }),

    revoke: (kid) =>
      database.withoutPrincipal(async (tx) => {
        await lockKeys(tx)
        const key = (await listKeys(tx)).find((stored) => stored.kid === kid)
        if (!key) throw new Problem('not_found', 'There is no such signing key.')
        if (key.state === 'revoked') throw new Problem('conflict', 'The signing key is revoked already.')
        await destroyKey(tx, kid)
        await complete(tx, await listKeys(tx))
        await revocations.record(tx, 'signing_key', kid)
        await recordAudit(tx, {
          action: 'signing_key.revoke',
          resource: `signing_key/${kid}`,
          outcome: 'success',
          details: { state: key.state },
        })
      }),
  }
}

function inState(keys: readonly SealedKey[], state: SealedKey['state']): SealedKey | undefined {
  return keys.find((key) => key.state === state)
}

function tooEarly(next: SealedKey | undefined, publishSeconds: number, waitSeconds: number): Problem {
  const published = next?.changedAt.getTime() ?? Date.now()
  const from = new Date(published + publishSeconds * 1000).toISOString()
  return new Problem('conflict', `The next key must be published before it signs; it may from ${from} on.`, {
    headers: { 'Retry-After': String(waitSeconds) },
  })
}
