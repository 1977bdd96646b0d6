import { isUniqueViolation, recordAudit } from '@waybill/database'
import type { Database, Transaction } from '@waybill/database'
import type { UserPrincipal } from '@waybill/service-kit'
import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { Tables } from '../tables.ts'
import type { KeyStore, StoredKey } from './key-store.ts'
import { nameTaken, tooManyKeys } from './key-problems.ts'
import type { ProviderKeysTable } from './tables.ts'

const NAME_IS_UNIQUE = 'provider_keys_user_id_provider_name_key'

/** The keys in the service's own database. */
export function createPostgresKeyStore(database: Database<Tables>): KeyStore {
  /** One change of a user's keys at a time: the number of keys and their default hold across rows. */
  const changing = async <T>(principal: UserPrincipal, work: (tx: Transaction<Tables>) => Promise<T>) =>
    database
      .withPrincipal(principal, async (tx) => {
        await sql`select pg_advisory_xact_lock(hashtextextended(${`provider_keys/${principal.userId}`}, 0))`.execute(
          tx,
        )
        return work(tx)
      })
      .catch((error: unknown) => {
        throw isUniqueViolation(error, NAME_IS_UNIQUE) ? nameTaken() : error
      })

  return {
    list: (principal) =>
      database.withPrincipal(principal, async (tx) => (await selectAll(tx)).map(storedKey), {
        readOnly: true,
      }),

    add: (principal, key, most, audit) =>
      changing(principal, async (tx) => {
        const others = await selectAll(tx)
        if (others.length >= most) throw tooManyKeys(most)
        const ofProvider = others.filter(({ provider }) => provider === key.provider)
        const isDefault = key.isDefault ?? !ofProvider.some(({ is_default }) => is_default)
        if (isDefault) await withdrawDefault(tx, key.provider)
        await tx
          .insertInto('provider_keys')
          .values({
            id: key.id,
            provider: key.provider,
            name: key.name,
            base_url: key.baseUrl,
            ...{ sealed: key.sealed, kek: key.kek, last_four: key.lastFour, is_default: isDefault },
          })
          .execute()
        if (key.checked) await tx.updateTable('provider_keys').set(CHECKED).where('id', '=', key.id).execute()
        await recordAudit(tx, audit)
        return storedKey(await selectFrom(tx).where('id', '=', key.id).executeTakeFirstOrThrow())
      }),

    change: (principal, id, { name, isDefault, rotated, checked }, audit) =>
      changing(principal, async (tx) => {
        const before = await selectFrom(tx).where('id', '=', id).executeTakeFirst()
        if (!before) return undefined
        if (isDefault === true) await withdrawDefault(tx, before.provider)
        const changes = {
          ...(name !== undefined && { name }),
          ...(isDefault !== undefined && { is_default: isDefault }),
          ...(rotated && {
            ...{ sealed: rotated.sealed, kek: rotated.kek, last_four: rotated.lastFour },
            ...{ rotated_at: sql<Date>`now()`, checked_at: null },
          }),
          ...(checked && CHECKED),
        }
        await tx.updateTable('provider_keys').set(changes).where('id', '=', id).execute()
        await recordAudit(tx, audit)
        return storedKey(await selectFrom(tx).where('id', '=', id).executeTakeFirstOrThrow())
      }),

    remove: (principal, id, audit) =>
      changing(principal, async (tx) => {
        const { numDeletedRows } = await tx
          .deleteFrom('provider_keys')
          .where('id', '=', id)
          .executeTakeFirstOrThrow()
        if (numDeletedRows === 0n) return false
        await recordAudit(tx, audit)
        return true
      }),

    note: (principal, audit) => database.withPrincipal(principal, (tx) => recordAudit(tx, audit)),
  }
}

const CHECKED = { checked_at: sql<Date>`now()` }

const selectFrom = (tx: Transaction<Tables>) => tx.selectFrom('provider_keys').selectAll()

const selectAll = (tx: Transaction<Tables>) => selectFrom(tx).orderBy('created_at').orderBy('id').execute()

async function withdrawDefault(tx: Transaction<Tables>, provider: string): Promise<void> {
  await tx
    .updateTable('provider_keys')
    .set({ is_default: false })
    .where('provider', '=', provider)
    .where('is_default', '=', true)
    .execute()
}

export function storedKey(row: Selectable<ProviderKeysTable>): StoredKey {
  return {
    id: row.id,
    userId: row.user_id,
    provider: row.provider,
    name: row.name,
    baseUrl: row.base_url,
    sealed: row.sealed,
    kek: row.kek,
    lastFour: row.last_four,
    isDefault: row.is_default,
    createdAt: row.created_at,
    rotatedAt: row.rotated_at,
    checkedAt: row.checked_at,
  }
}
