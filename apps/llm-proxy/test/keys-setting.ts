import { randomBytes, randomUUID } from 'node:crypto'
import { openAsOwner, openDatabase } from '@waybill/database'
import type { AuditEntry, Database, OwnerDatabase } from '@waybill/database'
import { startTestPostgres } from '@waybill/dev-env'
import type { TestPostgres } from '@waybill/dev-env'
import { createLogger, Secret } from '@waybill/service-kit'
import type { UserPrincipal } from '@waybill/service-kit'
import pg from 'pg'
import { createKeyCipher } from '../src/keys/cipher.ts'
import type { KeyCipher } from '../src/keys/cipher.ts'
import type { KeyStore, NewKey, StoredKey } from '../src/keys/key-store.ts'
import { readKeyEncryptionKeys } from '../src/keys/key-encryption-keys.ts'
import type { Tables } from '../src/tables.ts'

/** llm-proxy's own database, and a way in as the superuser. */
export interface KeysDatabase {
  postgres: TestPostgres
  database: Database<Tables>
  /** Another connection as the owner of the schema. */
  asOwner(): OwnerDatabase<Tables>
  admin(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>
  close(): Promise<void>
}

export async function startKeysDatabase(): Promise<KeysDatabase> {
  const postgres = await startTestPostgres('llm-proxy')
  const admin = new pg.Client({ connectionString: postgres.adminUrl })
  await admin.connect()
  const log = createLogger({ service: 'llm-proxy', level: 'silent' })
  const config = {
    DATABASE_URL: new Secret(postgres.databaseUrl),
    DATABASE_MIGRATION_URL: new Secret(postgres.migrationUrl),
    DATABASE_USER_ROLE: '',
    DATABASE_POOL_SIZE: 10,
    DATABASE_CONNECT_TIMEOUT_MS: 5_000,
    DATABASE_STATEMENT_TIMEOUT_MS: 15_000,
    DATABASE_LOCK_TIMEOUT_MS: 5_000,
  }
  const migrations = new URL('../migrations/', import.meta.url)
  const database = openDatabase<Tables>({ config, migrations, log, service: 'llm-proxy' })
  const owners: OwnerDatabase<Tables>[] = []
  await database.start()
  return {
    postgres,
    database,
    admin: async (text, values) => (await admin.query<Record<string, unknown>>(text, values)).rows,
    asOwner() {
      const owner = openAsOwner<Tables>({ config, service: 'llm-proxy', log })
      owners.push(owner)
      return owner
    },
    async close() {
      await Promise.all(owners.map((owner) => owner.close()))
      await database.close()
      await admin.end()
      await postgres.close()
    },
  }
}

export const randomKek = () => randomBytes(32).toString('base64')

/** A cipher with versions as the variable has them: `v2:...,v1:...`. */
export const cipherOf = (variable: string): KeyCipher =>
  createKeyCipher(readKeyEncryptionKeys(new Secret(variable)))

export function userOf(userId: string, permissions: readonly string[] = ['agents.query']): UserPrincipal {
  return { kind: 'user', userId, role: 'user', permissions, actors: [], via: 'jwt' }
}

export interface KeyOptions {
  provider?: string
  secret?: string
  name?: string
  baseUrl?: string
  isDefault?: boolean
  /** The most keys of the user. */
  most?: number
}

/** A key of the user's, sealed: `work` for openai unless said. */
export function newKey(cipher: KeyCipher, { userId }: UserPrincipal, options: KeyOptions): NewKey {
  const {
    provider = 'openai',
    secret = 'sk-for-tests-0000',
    name = 'work',
    baseUrl = null,
    isDefault,
  } = options
  const identity = { id: randomUUID(), userId, provider, baseUrl }
  const sealed = cipher.seal(identity, new Secret(secret))
  return { ...identity, ...sealed, name, isDefault, checked: false, lastFour: secret.slice(-4) }
}

export function addKey(
  store: Pick<KeyStore, 'add'>,
  cipher: KeyCipher,
  user: UserPrincipal,
  options: KeyOptions,
): Promise<StoredKey> {
  const key = newKey(cipher, user, options)
  return store.add(user, key, options.most ?? 50, entryOf(user, 'add', key.id))
}

/** Without a request around it, an entry says itself in whose name it is. */
export function entryOf(principal: UserPrincipal, action: string, id: string): AuditEntry {
  return { action: `provider_key.${action}`, resource: `provider_key/${id}`, outcome: 'success', principal }
}
