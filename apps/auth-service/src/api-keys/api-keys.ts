import { createHash } from 'node:crypto'
import { generateApiKey, hasPermission, intersectPermissions, isApiKey, permissionsOf } from '@waybill/auth'
import { recordAudit } from '@waybill/database'
import type { Database, Transaction } from '@waybill/database'
import { Problem, Secret } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import { ATTRIBUTE, countEvent, METRIC } from '@waybill/telemetry'
import type { KeyUse } from './key-use.ts'
import type { ResolveKey } from './resolved-key.ts'
import type { Revocations } from '../revocations/revocations.ts'
import {
  countLiveKeys,
  deleteEndedKeys,
  findKeyByHash,
  findLiveKey,
  insertKey,
  listKeys,
  lockKeysOf,
  replaceKey,
  revokeKey,
} from '../store/api-keys.ts'
import type { ApiKeyRow } from '../store/api-keys.ts'
import type { Schema } from '../store/schema.ts'
import { findUser } from '../store/users.ts'

/** A key that has just been made: the only moment at which it is known in clear. */
export interface CreatedKey extends ApiKeyRow {
  key: Secret
}

export interface ApiKeys {
  /**
   * A key of the principal with these permissions, for so many days.
   * @throws Problem insufficient_permission naming the one that it does not have; conflict when it has too many
   */
  create(
    principal: UserPrincipal,
    wanted: { name: string; permissions: readonly string[]; days: number },
  ): Promise<CreatedKey>
  /** The keys of the principal, the newest first, those that have ended too. */
  list(principal: UserPrincipal): Promise<ApiKeyRow[]>
  /** Ends a key of the principal. @throws Problem not_found when it has none such that lives */
  revoke(principal: UserPrincipal, id: string): Promise<void>
  /**
   * A successor with the same name, permissions and life, in the place of the key, which ends after `overlapSeconds`.
   * @throws Problem conflict when it has a successor already, or too many that have one still work
   */
  rotate(principal: UserPrincipal, id: string, overlapSeconds: number): Promise<CreatedKey>
  /** What a key allows at this moment. */
  resolve: ResolveKey
  /** Removes the keys that ended long ago. How many. */
  sweep(): Promise<number>
}

export interface ApiKeysOptions {
  database: Database<Schema>
  revocations: Pick<Revocations, 'record'>
  keyUse: Pick<KeyUse, 'note'>
  /** How many keys one user may have at a time, and how many that have a successor may work beside them. */
  perUser: number
  /** For how many days after its end a key is still listed. */
  keptDays: number
}

/** So much of a key is kept in clear, to tell it from others: 5 random digits of 30. */
const PREFIX_CHARS = 8

export function createApiKeys({ database, revocations, keyUse, perUser, keptDays }: ApiKeysOptions): ApiKeys {
  const issue = async (
    tx: Transaction<Schema>,
    principal: UserPrincipal,
    wanted: { name: string; permissions: readonly string[]; seconds: number },
  ): Promise<CreatedKey> => {
    const key = generateApiKey()
    const row = await insertKey(tx, {
      userId: principal.userId,
      name: wanted.name,
      prefix: key.slice(0, PREFIX_CHARS),
      hash: digest(key),
      permissions: [...new Set(wanted.permissions)],
      seconds: wanted.seconds,
    })
    return { ...row, key: new Secret(key) }
  }
  /** False when there is no such key that lives. */
  const end = async (tx: Transaction<Schema>, id: string): Promise<boolean> => {
    if (!(await revokeKey(tx, id))) return false
    await revocations.record(tx, 'api_key', id)
    await record(tx, 'api_key.revoke', id)
    return true
  }
  const refuseTooMany = async (tx: Transaction<Schema>, userId: string): Promise<void> => {
    if ((await countLiveKeys(tx, userId)).standing < perUser) return
    throw new Problem('conflict', `You have ${perUser} API keys already. Revoke one first.`)
  }
  /** A successor takes the place of its key. What it could add is the key beside it, so those are counted. */
  const refuseTooManyReplaced = async (tx: Transaction<Schema>, userId: string): Promise<void> => {
    if ((await countLiveKeys(tx, userId)).replaced < perUser) return
    throw new Problem(
      'conflict',
      `${perUser} of your API keys are in their overlap already. Rotate without one (overlap_seconds 0), or revoke one of them.`,
    )
  }

  return {
    create: (principal, { name, permissions, days }) =>
      database.withPrincipal(principal, async (tx) => {
        await refuseBeyondOwn(tx, principal, permissions)
        await lockKeysOf(tx, principal.userId)
        await refuseTooMany(tx, principal.userId)
        const key = await issue(tx, principal, { name, permissions, seconds: days * DAY_SECONDS })
        await record(tx, 'api_key.create', key.id, { permissions: key.permissions })
        return key
      }),

    list: (principal) =>
      database.withPrincipal(principal, (tx) => listKeys(tx, principal.userId), { readOnly: true }),

    revoke: (principal, id) =>
      database.withPrincipal(principal, async (tx) => {
        if (!(await end(tx, id))) throw noSuchKey()
      }),

    rotate: (principal, id, overlapSeconds) =>
      database.withPrincipal(principal, async (tx) => {
        await lockKeysOf(tx, principal.userId)
        const old = await findLiveKey(tx, id)
        if (!old) throw noSuchKey()
        if (old.replacedAt) throw new Problem('conflict', 'This API key has a successor. Rotate that one.')
        if (overlapSeconds > 0) await refuseTooManyReplaced(tx, principal.userId)
        await refuseBeyondOwn(tx, principal, old.permissions)
        const seconds = Math.round((old.expiresAt.getTime() - old.createdAt.getTime()) / 1000)
        const key = await issue(tx, principal, { ...old, seconds })
        if (overlapSeconds > 0) {
          await replaceKey(tx, id, overlapSeconds)
          // Who has asked about it believes that it lives longer.
          await revocations.record(tx, 'api_key_changed', id)
        } else await end(tx, id)
        await record(tx, 'api_key.rotate', id, { successor: key.id, overlap_seconds: overlapSeconds })
        return key
      }),

    async resolve(secret) {
      const text = secret.reveal()
      const found = isApiKey(text)
        ? await database.withoutPrincipal((tx) => findKeyByHash(tx, digest(text)), { readOnly: true })
        : undefined
      countEvent(METRIC.apiKey, { [ATTRIBUTE.outcome]: found ? 'success' : 'failure' })
      if (!found) return undefined
      keyUse.note(found.keyId)
      // The role may have lost since what the key was given.
      return {
        ...found,
        permissions: intersectPermissions(found.permissions, permissionsOf(found.user.role)),
      }
    },

    sweep: () => database.withoutPrincipal((tx) => deleteEndedKeys(tx, keptDays)),
  }
}

const DAY_SECONDS = 86_400

async function refuseBeyondOwn(
  tx: Transaction<Schema>,
  principal: UserPrincipal,
  permissions: readonly string[],
): Promise<void> {
  // Of what the token allows, which may be less than the role, as much as the role has now, whatever the token says.
  const user = await findUser(tx, principal.userId)
  const held = user ? intersectPermissions(principal.permissions, permissionsOf(user.role)) : []
  const beyond = permissions.find((permission) => !hasPermission(held, permission))
  if (beyond === undefined) return
  throw new Problem('insufficient_permission', `You do not have the permission ${beyond}.`, {
    extensions: { permission: beyond },
  })
}

async function record(
  tx: Transaction<Schema>,
  action: string,
  id: string,
  details: Record<string, unknown> = {},
): Promise<void> {
  await recordAudit(tx, { action, resource: `api_key/${id}`, outcome: 'success', details })
}

function noSuchKey(): Problem {
  return new Problem('not_found', 'You have no such API key, or it has ended.')
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}
