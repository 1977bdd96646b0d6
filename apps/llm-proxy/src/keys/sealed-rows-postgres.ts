import { recordAudit } from '@waybill/database'
import type { AuditEntry, OwnerDatabase } from '@waybill/database'
import type { Tables } from '../tables.ts'
import type { SealedRow, SealedRows } from './reencrypt.ts'

/** The keys in the service's own database, as its owner: the only one whom a policy lets see those of all users. */
export function postgresSealedRows(owner: OwnerDatabase<Tables>): SealedRows {
  return {
    page: (after, most) =>
      owner.transaction(async (tx) => {
        const rows = await tx
          .selectFrom('provider_keys')
          .select(['id', 'user_id as userId', 'provider', 'base_url as baseUrl', 'sealed', 'kek'])
          .where('id', '>', after)
          .orderBy('id')
          .limit(most)
          .execute()
        return rows
      }),

    replace: (row, { sealed, kek }) =>
      owner.transaction(async (tx) => {
        const { numUpdatedRows } = await tx
          .updateTable('provider_keys')
          .set({ sealed, kek })
          .where('id', '=', row.id)
          .where('sealed', '=', row.sealed)
          .executeTakeFirstOrThrow()
        if (numUpdatedRows === 0n) return false
        await recordAudit(tx, reencryptEntry(row, kek))
        return true
      }),
  }
}

export function reencryptEntry(row: SealedRow, kek: string): AuditEntry {
  return {
    action: 'provider_key.reencrypt',
    resource: `provider_key/${row.id}`,
    outcome: 'success',
    details: { provider: row.provider, from: row.kek, to: kek },
  }
}
