import type { Transaction } from '@waybill/database'
import { sql } from 'kysely'
import type { Schema } from './schema.ts'

type Tx = Transaction<Schema>

/** A secret that is neither revoked nor expired. */
export interface LiveSecret {
  id: string
  client: string
  createdAt: Date
  expiresAt: Date | null
}

export interface StoredClient {
  name: string
  disabledAt: Date | null
}

const LIVES = sql<boolean>`revoked_at is null and (expires_at is null or expires_at > clock_timestamp())`
const SECRET = ['id', 'client', 'created_at as createdAt', 'expires_at as expiresAt'] as const

/** The hashes of the live secrets of a service; undefined when it is not registered or disabled. */
export async function findSecretHashes(tx: Tx, name: string): Promise<Buffer[] | undefined> {
  const { rows } = await sql<{ hash: Buffer | null }>`
    select s.hash from service_clients c
    left join service_client_secrets s on s.client = c.name
      and s.revoked_at is null and (s.expires_at is null or s.expires_at > clock_timestamp())
    where c.name = ${name} and c.disabled_at is null`.execute(tx)
  return rows.length === 0 ? undefined : rows.flatMap(({ hash }) => hash ?? [])
}

/** Every registered service, by name. */
export async function listClients(tx: Tx): Promise<StoredClient[]> {
  return tx
    .selectFrom('service_clients')
    .select(['name', 'disabled_at as disabledAt'])
    .orderBy('name')
    .execute()
}

/** A registered service, which nobody else changes until the transaction ends. */
export async function lockClient(tx: Tx, name: string): Promise<StoredClient | undefined> {
  return tx
    .selectFrom('service_clients')
    .select(['name', 'disabled_at as disabledAt'])
    .where('name', '=', name)
    .forUpdate()
    .executeTakeFirst()
}

/** False when a service of that name is registered already. */
export async function insertClient(tx: Tx, name: string): Promise<boolean> {
  const { numInsertedOrUpdatedRows = 0n } = await tx
    .insertInto('service_clients')
    .values({ name })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows > 0n
}

export async function disableClient(tx: Tx, name: string): Promise<void> {
  await tx
    .updateTable('service_clients')
    .set({ disabled_at: sql`clock_timestamp()` })
    .where('name', '=', name)
    .execute()
}

/** The live secrets of a service, or of all; the oldest first. */
export async function listSecrets(tx: Tx, name?: string): Promise<LiveSecret[]> {
  let query = tx.selectFrom('service_client_secrets').select(SECRET).where(LIVES)
  if (name !== undefined) query = query.where('client', '=', name)
  return query.orderBy('created_at').orderBy('id').execute()
}

export async function insertSecret(
  tx: Tx,
  secret: { id: string; client: string; hash: Buffer; expiresInDays: number | undefined },
): Promise<LiveSecret> {
  const { expiresInDays, ...row } = secret
  const expiry =
    expiresInDays === undefined ? null : sql<Date>`now() + make_interval(days => ${expiresInDays})`
  return tx
    .insertInto('service_client_secrets')
    .values({ ...row, expires_at: expiry })
    .returning(SECRET)
    .executeTakeFirstOrThrow()
}

/** False when the service has no live secret of that id. */
export async function revokeSecret(tx: Tx, name: string, id: string): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('service_client_secrets')
    .set({ revoked_at: sql`clock_timestamp()` })
    .where('client', '=', name)
    .where('id', '=', id)
    .where(LIVES)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}
